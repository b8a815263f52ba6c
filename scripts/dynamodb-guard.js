// Runs a command for as long as the process that forked this one: when that process ends, however it ends, the IPC
// channel closes and the command is ended too. Plain JavaScript, so that Node runs it without a build.
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';

const KILL_AFTER_MS = 5_000;

const [command, ...args] = process.argv.slice(2);
// DynamoDB Local leaves a file in the folder it runs in.
const child = spawn(command, args, { cwd: tmpdir(), stdio: ['ignore', 'ignore', 'inherit'] });

function end() {
  child.kill('SIGTERM');
  setTimeout(() => child.kill('SIGKILL'), KILL_AFTER_MS);
}

process.on('disconnect', end);
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, end);
child.on('exit', () => process.exit());

// The callback takes the error of a parent that is already gone; 'disconnect' follows.
process.send(child.pid, () => {});
