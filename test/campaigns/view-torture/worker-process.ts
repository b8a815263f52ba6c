import { serveJob } from '../child-processes.js';
import { runWorker } from './worker.js';

serveJob(runWorker);
