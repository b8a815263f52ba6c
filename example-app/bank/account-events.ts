import { IsInt, IsNotEmpty, IsPositive, IsString } from 'class-validator';
import { EventType } from 'nestjs-dynamodb-event-store';

// The names in @EventType are stored for ever; the classes may be renamed. The class-validator rules are checked
// before anything is written. Amounts are whole cents.

@EventType('bank.AccountOpened')
export class AccountOpened {
  @IsString() @IsNotEmpty() readonly owner: string;

  constructor(owner: string) {
    this.owner = owner;
  }
}

@EventType('bank.MoneyDeposited')
export class MoneyDeposited {
  @IsInt() @IsPositive() readonly cents: number;

  constructor(cents: number) {
    this.cents = cents;
  }
}

@EventType('bank.MoneyWithdrawn')
export class MoneyWithdrawn {
  @IsInt() @IsPositive() readonly cents: number;

  constructor(cents: number) {
    this.cents = cents;
  }
}

@EventType('bank.TransferSent')
export class TransferSent {
  @IsInt() @IsPositive() readonly cents: number;
  @IsString() @IsNotEmpty() readonly toAccount: string;

  constructor(cents: number, toAccount: string) {
    this.cents = cents;
    this.toAccount = toAccount;
  }
}

@EventType('bank.TransferReceived')
export class TransferReceived {
  @IsInt() @IsPositive() readonly cents: number;
  @IsString() @IsNotEmpty() readonly fromAccount: string;

  constructor(cents: number, fromAccount: string) {
    this.cents = cents;
    this.fromAccount = fromAccount;
  }
}

@EventType('bank.AccountClosed')
export class AccountClosed {}
