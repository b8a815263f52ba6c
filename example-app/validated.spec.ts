import { expect, it } from '@jest/globals';
import { DepositMoney } from './bank/deposit-money.js';
import { OpenAccount } from './bank/open-account.js';
import { validated } from './validated.js';

it('lets a valid command pass, and names what is wrong with another, without its values', () => {
  const command = new DepositMoney('a-1', 5);
  expect(validated(command)).toBe(command);
  expect(() => validated(new DepositMoney('', -4711))).toThrow('DepositMoney is not valid: accountId, cents.');
  expect(() => validated(new OpenAccount(''))).toThrow('OpenAccount is not valid: owner.');
  expect(validated(new OpenAccount('Ada'))).toBeInstanceOf(OpenAccount);
});
