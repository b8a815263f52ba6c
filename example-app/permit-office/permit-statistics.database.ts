import { Injectable } from '@nestjs/common';
import { DataSource, type EntityManager } from 'typeorm';
import { OneAtATime } from './one-at-a-time.js';

/**
 * Transactions in the SQLite of the statistics. It has one connection, on which two transactions at once would be one,
 * so they run one after the other. A database server with a pool of connections needs no such thing.
 */
@Injectable()
export class PermitStatisticsDatabase {
  private readonly queue = new OneAtATime();

  constructor(private readonly dataSource: DataSource) {}

  transaction<T>(work: (manager: EntityManager) => Promise<T>): Promise<T> {
    return this.queue.run(() => this.dataSource.transaction(work));
  }
}
