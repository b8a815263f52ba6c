import { serveJob } from '../child-processes.js';
import { runWriters } from './writers.js';

serveJob(runWriters);
