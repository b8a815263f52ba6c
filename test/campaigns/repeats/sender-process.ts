import { serveJob } from '../child-processes.js';
import { runSender } from './sender.js';

serveJob(runSender);
