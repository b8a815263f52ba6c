import { runWriters, type Ending, type WriterOrders, type WriterResult } from './writers.js';

/** The program of a process of writers: takes its orders by the first message, and tells endings in batches. */

export type WriterMessage = { readonly endings: readonly Ending[] } | { readonly result: WriterResult };

const BATCH = 100;

process.once('message', (orders: WriterOrders) => void work(orders));

async function work(orders: WriterOrders): Promise<void> {
  let batch: Ending[] = [];
  const flush = () => {
    send({ endings: batch });
    batch = [];
  };
  const result = await runWriters(orders, (ending) => {
    batch.push(ending);
    if (batch.length >= BATCH) flush();
  });
  flush();
  send({ result });
  process.disconnect();
}

function send(message: WriterMessage): void {
  process.send!(message);
}
