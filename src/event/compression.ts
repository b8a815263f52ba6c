import { constants, deflateRawSync, inflateRawSync } from 'node:zlib';
import { CorruptStreamError } from './event-errors.js';

/** Text as it is stored: itself, or raw-deflated bytes. */
export type StoredText = string | Uint8Array;

/** Shorter texts gain little: deflate starts to pay for its header and its CPU time at about one kilobyte. */
const COMPRESS_FROM_BYTES = 1024;

export function compress(text: string): StoredText {
  if (text.length < COMPRESS_FROM_BYTES && Buffer.byteLength(text) < COMPRESS_FROM_BYTES) return text;
  const deflated = deflateRawSync(text, { level: constants.Z_DEFAULT_COMPRESSION });
  return deflated.byteLength < Buffer.byteLength(text) ? deflated : text;
}

export function decompress(stored: StoredText): string {
  if (typeof stored === 'string') return stored;
  try {
    return inflateRawSync(stored).toString('utf8');
  } catch {
    throw new CorruptStreamError('Stored data is damaged: its compressed bytes cannot be inflated.');
  }
}

export function storedBytes(stored: StoredText): number {
  return typeof stored === 'string' ? Buffer.byteLength(stored) : stored.byteLength;
}
