import { Type } from 'class-transformer';
import { IsNotEmpty, IsString, ValidateNested } from 'class-validator';
import { EventType } from 'nestjs-dynamodb-event-store';

/** What is known of a case from its first day. Dates are kept as the log writes them; an empty one is not known yet. */
export class CaseFacts {
  @IsString() readonly channel!: string;
  @IsString() readonly department!: string;
  @IsString() readonly group!: string;
  @IsString() readonly responsible!: string;
  @IsString() readonly startDate!: string;
  @IsString() readonly endDate!: string;
  @IsString() readonly plannedEndDate!: string;
  @IsString() readonly deadline!: string;
}

/** One thing that somebody did for a case. Who it was is in the event's metadata, like the user of every command. */
export class Step {
  @IsString() @IsNotEmpty() readonly activity!: string;
  @IsString() readonly taskId!: string;
  @IsString() readonly transition!: string;
  @IsString() readonly group!: string;
  /** When it was done, to the last digit and with the time zone of the log; `instantOf` compares. */
  @IsString() @IsNotEmpty() readonly doneAt!: string;
}

// An event holds plain data, so facts and steps are given as plain objects. @Type tells class-validator whose rules
// they must keep.

/** The first step of a case, and with it the case. */
@EventType('permit-office.CaseReceived')
export class CaseReceived {
  @ValidateNested() @Type(() => CaseFacts) readonly facts: CaseFacts;
  @ValidateNested() @Type(() => Step) readonly step: Step;

  constructor(facts: CaseFacts, step: Step) {
    this.facts = facts;
    this.step = step;
  }
}

/** Any later step. */
@EventType('permit-office.StepDone')
export class StepDone {
  @ValidateNested() @Type(() => Step) readonly step: Step;

  constructor(step: Step) {
    this.step = step;
  }
}
