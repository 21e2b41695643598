import type { Batch, Subnet, Vm, VmMetrics, VmMetricsHistory, Volume } from '@factory/contracts';
import Table from 'cli-table3';
import pc from 'picocolors';
import { stringify } from 'yaml';

export const OUTPUT_FORMATS = ['table', 'wide', 'json', 'yaml', 'name'] as const;
export type OutputFormat = (typeof OUTPUT_FORMATS)[number];

/** One column of a table. */
export interface Column<T> {
  readonly head: string;
  readonly cell: (item: T) => string;
  /** Only in the wide table. */
  readonly wide?: true;
}

const STATE_COLOURS: Readonly<Record<string, (text: string) => string>> = {
  running: pc.green,
  failed: pc.red,
  unreachable: pc.yellow,
  stopped: pc.dim,
};

function colourState(state: string): string {
  return (STATE_COLOURS[state] ?? pc.cyan)(state);
}

const VM_COLUMNS: readonly Column<Vm>[] = [
  { head: 'NAME', cell: (vm) => vm.name },
  { head: 'STATE', cell: (vm) => `${colourState(vm.state)}${vm.guestReady ? ' (ready)' : ''}` },
  { head: 'ADDRESS', cell: (vm) => vm.ipAddress ?? '-' },
  { head: 'HOST', cell: (vm) => vm.hostName ?? '-' },
  { head: 'VCPUS', cell: (vm) => String(vm.vcpus) },
  { head: 'MEMORY', cell: (vm) => `${vm.memoryMiB} MiB` },
  { head: 'REASON', cell: (vm) => [vm.reason, vm.message].filter(Boolean).join(': ') },
  { head: 'BATCH', cell: (vm) => vm.batchName, wide: true },
  { head: 'IMAGE', cell: (vm) => vm.image, wide: true },
  { head: 'MAC', cell: (vm) => vm.macAddress ?? '-', wide: true },
  {
    head: 'FURTHER',
    cell: (vm) => (vm.nics ?? []).map((nic) => nic.ipAddress).join(', ') || '-',
    wide: true,
  },
  { head: 'WANTED', cell: (vm) => vm.desiredState, wide: true },
  { head: 'ID', cell: (vm) => vm.id, wide: true },
];

/** A machine, and what it uses. */
export interface MeasuredVm {
  readonly name: string;
  readonly latest: VmMetrics['latest'];
}

const USE_COLUMNS: readonly Column<MeasuredVm>[] = [
  { head: 'NAME', cell: ({ name }) => name },
  {
    head: 'CPU',
    cell: ({ latest }) => (latest === null ? '-' : `${latest.cpuPercent.toFixed(0)} %`),
  },
  { head: 'MEMORY', cell: ({ latest }) => (latest === null ? '-' : `${latest.memoryMiB} MiB`) },
  { head: 'TAKEN', cell: ({ latest }) => inMiB(latest?.residentMiB) },
  { head: 'READ', cell: ({ latest }) => perSecond(latest?.diskReadBytes) },
  { head: 'WRITTEN', cell: ({ latest }) => perSecond(latest?.diskWriteBytes) },
  { head: 'RECEIVED', cell: ({ latest }) => perSecond(latest?.netReceivedBytes) },
  { head: 'SENT', cell: ({ latest }) => perSecond(latest?.netSentBytes) },
];

const HISTORY_COLUMNS: readonly Column<MeasuredVm>[] = USE_COLUMNS.map((column) =>
  column.head === 'NAME' ? { ...column, head: 'TIME' } : column,
);

function inMiB(mebibytes: number | undefined): string {
  return mebibytes === undefined ? '-' : `${mebibytes.toFixed(0)} MiB`;
}

function perSecond(bytes: number | undefined): string {
  return bytes === undefined ? '-' : `${(bytes / 1024).toFixed(1)} KiB/s`;
}

const BATCH_COLUMNS: readonly Column<Batch>[] = [
  { head: 'NAME', cell: (batch) => batch.name },
  { head: 'STATE', cell: (batch) => batch.state },
  { head: 'MACHINES', cell: (batch) => String(batch.count) },
  { head: 'BY STATE', cell: describeCounts },
  { head: 'WAITING FOR', cell: (batch) => batch.pendingReason ?? '' },
  { head: 'IMAGE', cell: (batch) => batch.image, wide: true },
  { head: 'CREATED', cell: (batch) => batch.createdAt, wide: true },
  { head: 'ID', cell: (batch) => batch.id, wide: true },
];

const SUBNET_COLUMNS: readonly Column<Subnet>[] = [
  { head: 'NAME', cell: (subnet) => subnet.name },
  { head: 'NETWORK', cell: (subnet) => subnet.cidr },
  { head: 'IN USE', cell: (subnet) => `${subnet.usedAddressCount} of ${subnet.addressCount}` },
  { head: 'EGRESS', cell: (subnet) => subnet.egress },
  { head: 'SECURITY RULES', cell: (subnet) => String(subnet.securityRules.length) },
  { head: 'DNS DOMAIN', cell: (subnet) => subnet.dnsDomain, wide: true },
  { head: 'GATEWAY', cell: (subnet) => subnet.gatewayAddress, wide: true },
  { head: 'VNI', cell: (subnet) => String(subnet.vni), wide: true },
  { head: 'ID', cell: (subnet) => subnet.id, wide: true },
];

const VOLUME_COLUMNS: readonly Column<Volume>[] = [
  { head: 'NAME', cell: (volume) => volume.name },
  { head: 'KIND', cell: (volume) => volume.kind },
  { head: 'SIZE', cell: (volume) => `${volume.sizeGiB} GiB` },
  { head: 'USED', cell: ({ usedBytes }) => (usedBytes === null ? '-' : mebibytes(usedBytes)) },
  { head: 'MACHINES', cell: (volume) => String(volume.machines) },
  { head: 'CLUSTER', cell: (volume) => volume.cluster },
  { head: 'STATE', cell: (volume) => colourState(volume.state) },
  { head: 'ID', cell: (volume) => volume.id, wide: true },
];

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 1024 ** 2)} MiB`;
}

/** `6 running (4 ready), 2 starting`. */
export function describeCounts(batch: Batch): string {
  const counts = Object.entries(batch.vmCounts).sort(([, a], [, b]) => b - a);
  return counts
    .map(([state, count]) => {
      const ready =
        state === 'running' && batch.readyCount > 0 ? ` (${batch.readyCount} ready)` : '';
      return `${count} ${colourState(state)}${ready}`;
    })
    .join(', ');
}

/** VMs in the wished format. */
export function formatVms(vms: readonly Vm[], format: OutputFormat): string {
  return formatList(vms, VM_COLUMNS, format, 'No machines.');
}

/** What machines use, in the wished format. */
export function formatUse(vms: readonly MeasuredVm[], format: OutputFormat): string {
  return formatList(vms, USE_COLUMNS, format, 'No machines.');
}

/** What one machine used, moment by moment. */
export function formatHistory(samples: VmMetricsHistory['samples'], format: OutputFormat): string {
  const moments = samples.map((latest) => ({ name: new Date(latest.atMs).toISOString(), latest }));
  const empty =
    'Nothing yet: hosts look every 15 s, and remember since their executor was started.';
  return formatList(moments, HISTORY_COLUMNS, format, empty);
}

/** Batches in the wished format. */
export function formatBatches(batches: readonly Batch[], format: OutputFormat): string {
  return formatList(batches, BATCH_COLUMNS, format, 'No batches. Make one: ./factory batch create');
}

/** Subnets in the wished format. */
export function formatSubnets(subnets: readonly Subnet[], format: OutputFormat): string {
  const empty = 'No subnets. Make one: ./factory subnet create';
  return formatList(subnets, SUBNET_COLUMNS, format, empty);
}

/** Volumes in the wished format. */
export function formatVolumes(volumes: readonly Volume[], format: OutputFormat): string {
  return formatList(volumes, VOLUME_COLUMNS, format, 'No volumes. See: ./factory volume --help');
}

/** One thing with all its fields: YAML reads best, unless something else was asked for. */
export function formatOne(item: Batch | Subnet | Vm | Volume, format: OutputFormat): string {
  if (format === 'json') return JSON.stringify(item, null, 2);
  return format === 'name' ? item.name : stringify(item).trimEnd();
}

export function formatList<T extends { readonly name: string }>(
  items: readonly T[],
  columns: readonly Column<T>[],
  format: OutputFormat,
  empty: string,
): string {
  switch (format) {
    case 'json':
      return JSON.stringify(items, null, 2);
    case 'yaml':
      return stringify(items).trimEnd();
    case 'name':
      return items.map((item) => item.name).join('\n');
    case 'wide':
      return formatTable(items, columns, empty);
    case 'table':
      return formatTable(
        items,
        columns.filter((column) => column.wide !== true),
        empty,
      );
  }
}

const NO_LINES = Object.fromEntries(
  ['top', 'bottom', 'left', 'right', 'mid', 'middle'].flatMap((side) =>
    [side, `${side}-mid`, `${side}-left`, `${side}-right`, `mid-${side}`].map((key) => [key, '']),
  ),
);

function formatTable<T>(items: readonly T[], columns: readonly Column<T>[], empty: string): string {
  if (items.length === 0) return empty;
  const table = new Table({
    head: columns.map(({ head }) => pc.bold(head)),
    chars: NO_LINES,
    style: { 'padding-left': 0, 'padding-right': 2, head: [], border: [] },
  });
  for (const item of items) table.push(columns.map(({ cell }) => cell(item)));
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}
