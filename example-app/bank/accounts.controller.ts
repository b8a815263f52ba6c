import { Body, Controller, Delete, Get, HttpCode, Param, Post, Query } from '@nestjs/common';
import { CommandBus } from '@nestjs/cqrs';
import {
  ApiConflictResponse,
  ApiCreatedResponse,
  ApiHeader,
  ApiNoContentResponse,
  ApiNotFoundResponse,
  ApiOkResponse,
  ApiOperation,
  ApiTags,
  ApiUnprocessableEntityResponse,
} from '@nestjs/swagger';
import { AggregateNotFoundError, AggregateRepository, InjectAggregateRepository } from 'nestjs-dynamodb-event-store';
import { validated } from '../validated.js';
import { AmountRequest, BalanceQuery, OpenAccountRequest, TransferRequest } from './account-requests.js';
import { BalanceResponse, HistoryEntry, OpenedResponse } from './account-responses.js';
import { Account } from './account.js';
import { CloseAccount } from './close-account.js';
import { DepositMoney } from './deposit-money.js';
import { OpenAccount } from './open-account.js';
import { TransferMoney } from './transfer-money.js';
import { WithdrawMoney } from './withdraw-money.js';

@ApiTags('accounts')
@ApiHeader({ name: 'x-user-id', description: 'Who does it; kept with every event.', required: false })
@ApiHeader({
  name: 'idempotency-key',
  description: 'Names a request that may be sent again; it is carried out once.',
  required: false,
})
@Controller('accounts')
export class AccountsController {
  constructor(
    private readonly commands: CommandBus,
    @InjectAggregateRepository(Account) private readonly accounts: AggregateRepository<Account>,
  ) {}

  @Post()
  @ApiOperation({ summary: 'Open an account' })
  @ApiCreatedResponse({ type: OpenedResponse })
  @ApiConflictResponse({ description: 'Another account has this alias.' })
  async open(@Body() { owner, alias }: OpenAccountRequest): Promise<OpenedResponse> {
    return new OpenedResponse(await this.commands.execute(validated(new OpenAccount(owner, alias))));
  }

  @Post(':id/deposits')
  @HttpCode(204)
  @ApiOperation({ summary: 'Pay money in' })
  @ApiNoContentResponse()
  @ApiNotFoundResponse({ description: 'There is no such account.' })
  @ApiConflictResponse({ description: 'The account is closed.' })
  async deposit(@Param('id') id: string, @Body() { cents }: AmountRequest): Promise<void> {
    await this.commands.execute(validated(new DepositMoney(id, cents)));
  }

  @Post(':id/withdrawals')
  @HttpCode(204)
  @ApiOperation({ summary: 'Take money out' })
  @ApiNoContentResponse()
  @ApiNotFoundResponse({ description: 'There is no such account.' })
  @ApiConflictResponse({ description: 'The account is closed.' })
  @ApiUnprocessableEntityResponse({ description: 'The account does not hold so much.' })
  async withdraw(@Param('id') id: string, @Body() { cents }: AmountRequest): Promise<void> {
    await this.commands.execute(validated(new WithdrawMoney(id, cents)));
  }

  @Post(':id/transfers')
  @HttpCode(204)
  @ApiOperation({ summary: 'Send money to another account: both change, or neither' })
  @ApiNoContentResponse()
  @ApiNotFoundResponse({ description: 'There is no such account.' })
  @ApiConflictResponse({ description: 'One of the accounts is closed.' })
  @ApiUnprocessableEntityResponse({ description: 'The account does not hold so much.' })
  async transfer(@Param('id') id: string, @Body() { to, cents }: TransferRequest): Promise<void> {
    await this.commands.execute(validated(new TransferMoney(id, to, cents)));
  }

  @Delete(':id')
  @HttpCode(204)
  @ApiOperation({ summary: 'Close an account; its history stays' })
  @ApiNoContentResponse()
  @ApiNotFoundResponse({ description: 'There is no such account.' })
  @ApiConflictResponse({ description: 'The account holds money, or is closed already.' })
  async close(@Param('id') id: string): Promise<void> {
    await this.commands.execute(validated(new CloseAccount(id)));
  }

  @Get(':id/balance')
  @ApiOperation({ summary: 'The balance, now or at a moment in the past' })
  @ApiOkResponse({ type: BalanceResponse })
  @ApiNotFoundResponse({ description: 'There is, or was at that moment, no such account.' })
  async balance(@Param('id') id: string, @Query() { at }: BalanceQuery): Promise<BalanceResponse> {
    const account = at ? await this.accounts.loadAt(id, { time: new Date(at) }) : await this.accounts.load(id);
    return new BalanceResponse(account);
  }

  @Get(':id/history')
  @ApiOperation({ summary: 'All that ever happened to the account' })
  @ApiOkResponse({ type: [HistoryEntry] })
  @ApiNotFoundResponse({ description: 'There is no such account.' })
  async history(@Param('id') id: string): Promise<HistoryEntry[]> {
    const entries: HistoryEntry[] = [];
    for await (const recorded of this.accounts.history(id)) entries.push(new HistoryEntry(recorded));
    if (entries.length === 0) throw new AggregateNotFoundError({ aggregateType: 'account', aggregateId: id });
    return entries;
  }
}
