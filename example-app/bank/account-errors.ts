import { BadRequestException, ConflictException, UnprocessableEntityException } from '@nestjs/common';

export class InsufficientFundsError extends UnprocessableEntityException {
  constructor(accountId: string, cents: number) {
    super(`Account ${accountId} has less than ${cents} cents.`);
  }
}

export class AccountIsClosedError extends ConflictException {
  constructor(accountId: string) {
    super(`Account ${accountId} is closed.`);
  }
}

export class AccountNotEmptyError extends ConflictException {
  constructor(accountId: string) {
    super(`Account ${accountId} still holds money: withdraw or transfer it before closing.`);
  }
}

export class SameAccountError extends BadRequestException {
  constructor() {
    super('A transfer needs two different accounts.');
  }
}
