import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sleep, systemClock } from '@factory/runtime';
import { Cluster, MASTER, type TestVm } from './cluster.ts';
import { type Host, openHost, openHub, WORLD_ADDRESS } from './host.ts';
import { openStorage, type SharedStorage } from './storage.ts';

/**
 * Two hosts in one cluster, each with its own network, libvirtd, agent and executor, and real guests
 * that try each other. Both mount one GlusterFS, of which guests share a folder. What a guest found
 * it prints on its console; this prints it as `<guest> <what> <yes or no>`. Run it in a network
 * namespace of its own, with a folder of images.
 */
const GUESTS_TIMEOUT_MS = 240_000;
const blue = { vni: 101, egress: 'nat' } as const;
const red = { vni: 102, egress: 'none' } as const;
const DONE = 'FACTORY-USER-DATA';

const [, , images = ''] = process.argv;
const directory = await mkdtemp(join(tmpdir(), 'two-hosts-'));
const hosts: Host[] = [];
const startedAtS = systemClock.monotonicMs() / 1000;
let cluster: Cluster | undefined;
let storage: SharedStorage | undefined;
try {
  await openHub();
  const opened = [openHost(1, directory), openHost(2, directory)] as const;
  storage = await openStorage(directory);
  hosts.push(...(await Promise.all(opened)));
  sayStage('hosts are up');
  const volumes = new Map<Host, string>();
  for (const host of hosts) volumes.set(host, await storage.mountOn(host));
  sayStage('the storage is mounted');
  cluster = new Cluster(hosts, directory, images, volumes);
  await cluster.start();
  sayStage('the cluster is up');
  const guests = guestsOn(hosts);
  await cluster.put(guests);
  sayStage('guests are asked for');
  await waitForAll(cluster, guests);
  sayStage('guests have tried');
  await cluster.delete(guests);
  sayStage('guests are deleted');
  for (const host of hosts) await sayWhatIsLeft(host);
} finally {
  await cluster?.close();
  for (const host of hosts) await host.close();
  await storage?.close();
  await rm(directory, { recursive: true, force: true, maxRetries: 20 });
}
sayStage('end');

/** Blue ones on both hosts, and red ones on the other host each, of the same addresses. */
function guestsOn([one, other]: readonly Host[]): readonly TestVm[] {
  if (one === undefined || other === undefined) throw new Error('two hosts are needed');
  return [
    {
      ...{ name: 'blue-1', number: 1, host: one, subnet: blue, ipAddress: '10.80.1.1' },
      hasFolder: true,
      userData: script(`
        echo from-blue-1 >/shared/blue-1
        settle ping -c 1 -W 1 10.80.1.2
        try peer ping -c 2 -W 5 10.80.1.2
        try peer-by-name ping -c 1 -W 5 blue-2.lab.internal
        try full-size-packet ping -c 1 -W 5 -s 1422 10.80.1.2
        try other-subnet ping -c 1 -W 2 10.80.1.3 &
        try own-host ping -c 1 -W 2 ${one.address} &
        try control-plane wget -q -T 3 -O /dev/null ${MASTER}/health &
        wait
        try world ping -c 1 -W 5 ${WORLD_ADDRESS}
        ip addr add 10.80.9.9/16 dev eth0
        try stolen-address ping -c 1 -W 2 -I 10.80.9.9 10.80.1.2
        ip addr del 10.80.9.9/16 dev eth0
        ip link set eth0 down
        ip link set eth0 address 52:54:00:00:00:99
        ip link set eth0 up
        try stolen-mac ping -c 1 -W 2 10.80.1.2
        ip link set eth0 down
        ip link set eth0 address 52:54:00:00:00:01
        ip link set eth0 up
        try honest-again ping -c 3 -W 5 10.80.1.2
        settle test -s /shared/blue-2
        try file-of-other-host grep -q from-blue-2 /shared/blue-2`),
    },
    {
      ...{ name: 'blue-2', number: 2, host: other, subnet: blue, ipAddress: '10.80.1.2' },
      hasFolder: true,
      userData: script(`
        echo from-blue-2 >/shared/blue-2
        settle test -s /shared/blue-1
        try folder-is-mounted grep -q ' /shared virtiofs ' /proc/mounts
        try file-of-other-host grep -q from-blue-1 /shared/blue-1
        settle ping -c 1 -W 1 10.80.1.1
        try peer ping -c 2 -W 5 10.80.1.1`),
    },
    {
      ...{ name: 'red-1', number: 3, host: other, subnet: red, ipAddress: '10.80.1.1' },
      userData: script(`
        settle ping -c 1 -W 1 10.80.1.3
        try peer ping -c 2 -W 5 10.80.1.3
        try other-subnet ping -c 1 -W 2 10.80.1.2 &
        try world ping -c 1 -W 2 ${WORLD_ADDRESS} &
        wait`),
    },
    {
      ...{ name: 'red-3', number: 4, host: one, subnet: red, ipAddress: '10.80.1.3' },
      userData: script(`
        settle ping -c 1 -W 1 10.80.1.1
        try peer ping -c 2 -W 5 10.80.1.1`),
    },
  ];
}

/** A guest's script: \`try\` prints whether a command succeeds, \`settle\` waits until one does. */
function script(steps: string): string {
  return `#!/bin/sh
try() {
  what=$1; shift
  if "$@" >/dev/null 2>&1; then found=yes; else found=no; fi
  printf '\\nTRIED %s %s\\n' "$what" "$found" >/dev/ttyS0
}
settle() {
  for attempt in $(seq 60); do "$@" >/dev/null 2>&1 && return; sleep 1; done
}
${steps.replaceAll(/^ +/gm, '').trim()}
`;
}

async function waitForAll(running: Cluster, guests: readonly TestVm[]): Promise<void> {
  const endMs = systemClock.monotonicMs() + GUESTS_TIMEOUT_MS;
  const waiting = new Set(guests);
  while (waiting.size > 0 && systemClock.monotonicMs() < endMs) {
    await sleep(systemClock, 200);
    for (const guest of waiting) {
      if ((await running.consoleOf(guest)).includes(DONE)) waiting.delete(guest);
    }
  }
  for (const guest of guests) {
    const text = await running.consoleOf(guest);
    for (const [, what, found] of text.matchAll(/^TRIED (\S+) (yes|no)/gm)) {
      say(`${guest.name} ${what} ${found}`);
    }
    if (waiting.has(guest)) say(`${guest.name} is ${running.phaseOf(guest)}: ${text.slice(-300)}`);
  }
}

/** Links, namespaces and rules that no host has by itself. */
async function sayWhatIsLeft(host: Host): Promise<void> {
  const links = (await host.run('ip', '-brief', 'link')).split('\n').map((line) => line.trim());
  const ours = links.filter((line) => /^(fn|tap|vnet)/.test(line));
  const namespaces = (await host.run('ip', 'netns', 'list')).trim();
  const rules = (await host.run('nft', 'list', 'tables')).trim();
  const left = [...ours, namespaces, rules].filter((each) => each !== '');
  say(`${host.name} has ${left.length === 0 ? 'nothing' : left.join('; ')} left`);
}

/** With the time since the start, as it is a slow test. */
function sayStage(text: string): void {
  say(`${text} after ${(systemClock.monotonicMs() / 1000 - startedAtS).toFixed(1)} s`);
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}
