import { createRequire } from 'node:module';
import { dirname } from 'node:path';

/** The folder of the package, whether this file runs from there or from where it was built to. */
export const PACKAGE_ROOT = dirname(createRequire(import.meta.url).resolve('nestjs-dynamodb-event-store/package.json'));
