import { Injectable, type NestMiddleware } from '@nestjs/common';
import { CommandContext } from 'nestjs-dynamodb-event-store';

interface Request {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
}

/**
 * Puts the user of a request into the context of its commands, and so into the metadata of every event they store.
 * Here a header says who it is; an application of yours asks its authentication.
 */
@Injectable()
export class RequestUserMiddleware implements NestMiddleware<Request> {
  use({ headers }: Request, _response: unknown, next: () => void): void {
    const userId = headers['x-user-id'];
    CommandContext.run(typeof userId === 'string' && userId !== '' ? { userId } : {}, next);
  }
}
