import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expectThat, figure } from '../support/acceptance.ts';

/** 1,000 command tasks on one agent, ten times as fast as Apache Mesos. */
const script = join(import.meta.dirname, '../bench/tasks.ts');
const { stdout } = await promisify(execFile)(process.execPath, [script, '--json']);
const { count, finished, perSecond, limit } = JSON.parse(stdout);
expectThat('all tasks finished', finished === count, `${finished} of ${count}`);
figure('command tasks', perSecond, 'tasks/s', limit, 'least');
