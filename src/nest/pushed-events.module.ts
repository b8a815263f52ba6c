import { Global, Module } from '@nestjs/common';

/** Whether events are brought to this process, so that it does not look for them itself. */
export const EVENTS_ARE_PUSHED = Symbol('EventsArePushed');

/** Goes around the module of an application that is booted to have its events brought. */
@Global()
@Module({ providers: [{ provide: EVENTS_ARE_PUSHED, useValue: true }], exports: [EVENTS_ARE_PUSHED] })
export class PushedEventsModule {}
