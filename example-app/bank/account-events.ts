import { IsInt, IsNotEmpty, IsPositive, IsString, ValidateIf } from 'class-validator';
import { EventType } from 'nestjs-dynamodb-event-store';

// The names in @EventType are stored for ever; the classes may be renamed. The class-validator rules are checked
// before anything is written. Amounts are whole cents.

/** Accounts had no alias at first: events of version 1 get none when they are read. */
@EventType('bank.AccountOpened', { version: 2, upcast: { 1: (v1) => ({ ...v1, alias: null }) } })
export class AccountOpened {
  @IsString() @IsNotEmpty() readonly owner: string;
  @ValidateIf(({ alias }: AccountOpened) => alias !== null) @IsString() @IsNotEmpty() readonly alias: string | null;

  constructor(owner: string, alias: string | null = null) {
    this.owner = owner;
    this.alias = alias;
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
