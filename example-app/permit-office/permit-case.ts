import { Aggregate, AggregateRoot, On } from 'nestjs-dynamodb-event-store';
import { CaseReceived, StepDone, type CaseFacts, type Step } from './permit-events.js';

/** The application of one citizen for one permit, on its way through the office. */
@Aggregate('permit-case')
export class PermitCase extends AggregateRoot {
  facts: CaseFacts | null = null;
  lastStep: Step | null = null;

  static receive(id: string, facts: CaseFacts, step: Step): PermitCase {
    const permitCase = new PermitCase(id);
    permitCase.apply(new CaseReceived(facts, step));
    return permitCase;
  }

  record(step: Step): void {
    this.apply(new StepDone(step));
  }

  @On(CaseReceived) protected onReceived({ facts, step }: CaseReceived): void {
    this.facts = facts;
    this.lastStep = step;
  }

  @On(StepDone) protected onDone({ step }: StepDone): void {
    this.lastStep = step;
  }
}
