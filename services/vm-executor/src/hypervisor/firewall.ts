import { spawn } from 'node:child_process';
import { VmFailure } from '../failures.ts';
import { bridgePrefix, tableName } from './names.ts';

/**
 * What guests may reach beyond their own subnet: on the host DHCP and ping, elsewhere nothing. So no
 * guest gets at the control plane, and no subnet at another. The host may reach the guests.
 */
export interface Firewall {
  /** Puts the rules in place, with this bridge among the ours. Idempotent. */
  admit(bridge: string): Promise<void>;
  /** Takes all rules of this instance away. Idempotent. */
  remove(): Promise<void>;
}

/** The firewall of an instance, by nftables; needs root. @throws VmFailure `NETWORK_ERROR` */
export function createNftFirewall(instance: string): Firewall {
  return {
    admit: (bridge) => runNft(admitScript(instance, bridge)),
    remove: () => runNft(removeScript(instance)),
  };
}

/**
 * The rules as one nft transaction, which leaves a table that is there already as it is. Bridges are
 * known by the prefix of their names, so rules hold from the first packet of a new one.
 */
export function admitScript(instance: string, bridge: string): string {
  const table = `inet ${tableName(instance)}`;
  const ours = `"${bridgePrefix(instance)}*"`;
  return `${[
    `add table ${table}`,
    `add set ${table} bridges { type ifname . ifname; }`,
    `add chain ${table} input { type filter hook input priority -10; policy accept; }`,
    `add chain ${table} forward { type filter hook forward priority -10; policy accept; }`,
    `flush chain ${table} input`,
    `flush chain ${table} forward`,
    `add rule ${table} input iifname != ${ours} return`,
    `add rule ${table} input ct state established,related accept`,
    `add rule ${table} input udp dport 67 accept`,
    `add rule ${table} input icmp type echo-request accept`,
    `add rule ${table} input drop`,
    // Frames within one bridge pass here too where br_netfilter is on.
    `add rule ${table} forward iifname . oifname @bridges accept`,
    `add rule ${table} forward iifname ${ours} drop`,
    `add rule ${table} forward oifname ${ours} drop`,
    `add element ${table} bridges { "${bridge}" . "${bridge}" }`,
  ].join('\n')}\n`;
}

/** Removes the table, whether or not it is there: adding it first makes the removal sure. */
export function removeScript(instance: string): string {
  const table = `inet ${tableName(instance)}`;
  return `add table ${table}\ndelete table ${table}\n`;
}

/** A hanging nft would hold up every new VM. */
const NFT_TIMEOUT_MS = 10_000;

async function runNft(script: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const child = spawn('nft', ['-f', '-'], {
    stdio: ['pipe', 'ignore', 'pipe'],
    timeout: NFT_TIMEOUT_MS,
  });
  const errors: string[] = [];
  child.stderr.on('data', (chunk: Buffer) => errors.push(chunk.toString()));
  child.on('error', (cause) => reject(new VmFailure('NETWORK_ERROR', cause.message, { cause })));
  child.on('close', (code) => {
    const message = `nft failed (exit code ${code}): ${errors.join('').trim()}`;
    if (code === 0) resolve();
    else reject(new VmFailure('NETWORK_ERROR', message));
  });
  // EPIPE when nft ended early; its exit code tells why.
  child.stdin.on('error', () => undefined);
  child.stdin.end(script);
  await promise;
}
