import { CommandHandler, type ICommandHandler } from '@nestjs/cqrs';
import { AggregateRepository, InjectAggregateRepository } from 'nestjs-dynamodb-event-store';
import { PermitCase } from './permit-case.js';
import type { CaseFacts, Step } from './permit-events.js';

export class RecordStep {
  constructor(
    readonly caseId: string,
    /** Used when this is the first step of the case. */
    readonly facts: CaseFacts,
    readonly step: Step,
  ) {}
}

@CommandHandler(RecordStep)
export class RecordStepHandler implements ICommandHandler<RecordStep> {
  constructor(@InjectAggregateRepository(PermitCase) private readonly cases: AggregateRepository<PermitCase>) {}

  async execute({ caseId, facts, step }: RecordStep): Promise<void> {
    const permitCase = await this.cases.find(caseId);
    if (permitCase) permitCase.record(step);
    else this.cases.add(PermitCase.receive(caseId, facts, step));
  }
}
