import { runFailover } from '../failover/run.ts';

/**
 * The leading master loses ZooKeeper to a firewall rule, ten times in a row: another leads within 10 s,
 * the old one has exited before, no task is lost or doubled.
 */
const ROUNDS = 10;

const { code, output } = await runFailover(ROUNDS);
process.stdout.write(output);
process.exitCode = code;
