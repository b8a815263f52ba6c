import { serveJob } from '../child-processes.js';
import { runClients } from './clients.js';

serveJob(runClients);
