import { LibvirtProtocolError } from './errors.ts';
import { graphicsOf } from './graphics.ts';
import type { Rpc } from './rpc.ts';
import { statusOf } from './states.ts';
import { collectStats } from './stats.ts';
import { readAll } from './streams.ts';
import type { Domains, PowerMethod, SizeOptions, StartOptions, UndefineOptions } from './types.ts';
import { AFFECTS, domainOf, flagsOf, wireDomain } from './wire.ts';

/** A console's unread output; a screen of text is some KiB. */
const CONSOLE_BUFFER_BYTES = 1_048_576;
/** An uncompressed 4K screen is 25 MB. */
const SCREENSHOT_MAX_BYTES = 67_108_864;
const SCREENSHOT_TIMEOUT_MS = 30_000;
/** Writing a guest's memory to a file. */
const SAVE_TIMEOUT_MS = 300_000;

/** virDomainShutdownFlagValues and virDomainRebootFlagValues agree. */
const POWER_FLAGS: Readonly<Record<PowerMethod, number>> = { default: 0, acpi: 1, agent: 2 };
/** virConnectListAllDomainsFlags. */
const LIST_FLAGS = { active: 1, inactive: 2 } as const;
/** VIR_DOMAIN_START_VALIDATE, of createXml. */
const START_VALIDATE = 1 << 4;

/** virDomainCreateFlags. */
function startFlags(options: StartOptions): number {
  return flagsOf([
    [1 << 0, options.paused],
    [1 << 1, options.autoDestroy],
    [1 << 3, options.forceBoot],
  ]);
}

/** virDomainUndefineFlagsValues. */
function undefineFlags(options: UndefineOptions): number {
  return flagsOf([
    [1 << 0, options.managedSave],
    [1 << 1, options.snapshotsMetadata],
    [1 << 2, options.nvram === 'remove'],
    [1 << 3, options.nvram === 'keep'],
    [1 << 5, options.tpm === 'remove'],
    [1 << 6, options.tpm === 'keep'],
  ]);
}

type Definition = Pick<
  Domains,
  | 'define'
  | 'createXml'
  | 'undefine'
  | 'lookupByName'
  | 'lookupByUuid'
  | 'list'
  | 'getAutostart'
  | 'setAutostart'
>;

function definition(rpc: Rpc): Definition {
  return {
    async define(xml, options = {}) {
      const args = { xml, flags: flagsOf([[1, options.validate]]) };
      return domainOf((await rpc.call('domainDefineXmlFlags', args, options)).domain);
    },
    async createXml(xml, options = {}) {
      const flags = startFlags(options) + flagsOf([[START_VALIDATE, options.validate]]);
      return domainOf((await rpc.call('domainCreateXml', { xml, flags }, options)).domain);
    },
    async undefine(domain, options = {}) {
      const args = { domain: wireDomain(domain), flags: undefineFlags(options) };
      await rpc.call('domainUndefineFlags', args, options);
    },
    async lookupByName(name, options) {
      return domainOf((await rpc.call('domainLookupByName', { name }, options)).domain);
    },
    async lookupByUuid(uuid, options) {
      return domainOf((await rpc.call('domainLookupByUuid', { uuid }, options)).domain);
    },
    async list(options = {}) {
      const flags = options.only === undefined ? 0 : LIST_FLAGS[options.only];
      const args = { needResults: true, flags };
      return (await rpc.call('connectListAllDomains', args, options)).domains.map(domainOf);
    },
    async getAutostart(domain, options) {
      const args = { domain: wireDomain(domain) };
      return (await rpc.call('domainGetAutostart', args, options)).autostart;
    },
    async setAutostart(domain, autostart, options) {
      await rpc.call('domainSetAutostart', { domain: wireDomain(domain), autostart }, options);
    },
  };
}

type Power = Pick<
  Domains,
  'start' | 'destroy' | 'shutdown' | 'reboot' | 'reset' | 'suspend' | 'resume'
>;

function power(rpc: Rpc): Power {
  return {
    async start(domain, options = {}) {
      const args = { domain: wireDomain(domain), flags: startFlags(options) };
      return domainOf((await rpc.call('domainCreateWithFlags', args, options)).domain);
    },
    async destroy(domain, options = {}) {
      const args = { domain: wireDomain(domain), flags: flagsOf([[1, options.graceful]]) };
      await rpc.call('domainDestroyFlags', args, options);
    },
    async shutdown(domain, options = {}) {
      const args = { domain: wireDomain(domain), flags: POWER_FLAGS[options.method ?? 'default'] };
      await rpc.call('domainShutdownFlags', args, options);
    },
    async reboot(domain, options = {}) {
      const args = { domain: wireDomain(domain), flags: POWER_FLAGS[options.method ?? 'default'] };
      await rpc.call('domainReboot', args, options);
    },
    async reset(domain, options) {
      await rpc.call('domainReset', { domain: wireDomain(domain), flags: 0 }, options);
    },
    async suspend(domain, options) {
      await rpc.call('domainSuspend', { domain: wireDomain(domain) }, options);
    },
    async resume(domain, options) {
      await rpc.call('domainResume', { domain: wireDomain(domain) }, options);
    },
  };
}

type Size = Pick<Domains, 'setVcpus' | 'setMemory'>;

function size(rpc: Rpc): Size {
  // VIR_DOMAIN_VCPU_MAXIMUM and VIR_DOMAIN_MEM_MAXIMUM agree.
  const flags = ({ affect, maximum }: SizeOptions) => AFFECTS[affect] + flagsOf([[4, maximum]]);
  return {
    async setVcpus(domain, vcpus, options) {
      const args = { domain: wireDomain(domain), vcpus, flags: flags(options) };
      await rpc.call('domainSetVcpusFlags', args, options);
    },
    async setMemory(domain, memory, options) {
      const args = { domain: wireDomain(domain), memory, flags: flags(options) };
      await rpc.call('domainSetMemoryFlags', args, options);
    },
  };
}

type ManagedSave = Pick<Domains, 'managedSave' | 'hasManagedSave' | 'removeManagedSave'>;

function managedSave(rpc: Rpc): ManagedSave {
  return {
    async managedSave(domain, options = {}) {
      // virDomainSaveRestoreFlags.
      const flags = flagsOf([
        [1, options.bypassCache],
        [2, options.afterwards === 'running'],
        [4, options.afterwards === 'paused'],
      ]);
      const timeoutMs = options.timeoutMs ?? SAVE_TIMEOUT_MS;
      await rpc.call('domainManagedSave', { domain: wireDomain(domain), flags }, { timeoutMs });
    },
    async hasManagedSave(domain, options) {
      const args = { domain: wireDomain(domain), flags: 0 };
      return (await rpc.call('domainHasManagedSaveImage', args, options)).result;
    },
    async removeManagedSave(domain, options) {
      const args = { domain: wireDomain(domain), flags: 0 };
      await rpc.call('domainManagedSaveRemove', args, options);
    },
  };
}

type Inspection = Pick<Domains, 'getXml' | 'getInfo' | 'getState' | 'stats'>;

function inspection(rpc: Rpc): Inspection {
  return {
    async getXml(domain, options = {}) {
      const flags = flagsOf([
        [1, options.secure],
        [2, options.inactive],
      ]);
      const args = { domain: wireDomain(domain), flags };
      return (await rpc.call('domainGetXmlDesc', args, options)).xml;
    },
    async getInfo(domain, options) {
      const info = await rpc.call('domainGetInfo', { domain: wireDomain(domain) }, options);
      return {
        state: statusOf(info.state, 0).state,
        maxMemoryKiB: info.maxMemory,
        memoryKiB: info.memory,
        vcpuCount: info.vcpus,
        cpuTimeNs: info.cpuTime,
      };
    },
    async getState(domain, options) {
      const args = { domain: wireDomain(domain), flags: 0 };
      const { state, reason } = await rpc.call('domainGetState', args, options);
      return statusOf(state, reason);
    },
    stats: (options) => collectStats(rpc, options),
  };
}

type Screens = Pick<Domains, 'openConsole' | 'openChannel' | 'screenshot' | 'graphics'>;

function screens(rpc: Rpc, getXml: Domains['getXml']): Screens {
  return {
    async openConsole(domain, options = {}) {
      const flags = flagsOf([
        [1, options.force],
        [2, options.safe],
      ]);
      const args = { domain: wireDomain(domain), device: options.device, flags };
      const maxBufferedBytes = options.maxBufferedBytes ?? CONSOLE_BUFFER_BYTES;
      const opened = await rpc.openStream('domainOpenConsole', args, {
        ...options,
        maxBufferedBytes,
      });
      return opened.stream;
    },
    async openChannel(domain, options = {}) {
      // VIR_DOMAIN_CHANNEL_FORCE.
      const flags = flagsOf([[1, options.force]]);
      const args = { domain: wireDomain(domain), name: options.device, flags };
      const maxBufferedBytes = options.maxBufferedBytes ?? CONSOLE_BUFFER_BYTES;
      const opened = await rpc.openStream('domainOpenChannel', args, {
        ...options,
        maxBufferedBytes,
      });
      return opened.stream;
    },
    async graphics(domain, options) {
      return graphicsOf(await getXml(domain, options));
    },
    async screenshot(domain, options = {}) {
      const args = { domain: wireDomain(domain), screen: options.screen ?? 0, flags: 0 };
      const { result, stream } = await rpc.openStream('domainScreenshot', args, {
        ...options,
        maxBufferedBytes: SCREENSHOT_MAX_BYTES,
        lifetimeMs: options.timeoutMs ?? SCREENSHOT_TIMEOUT_MS,
      });
      if (result.mime === undefined) {
        stream.abort();
        throw new LibvirtProtocolError('a screenshot without a type');
      }
      return { mime: result.mime, bytes: await readAll(stream, SCREENSHOT_MAX_BYTES) };
    },
  };
}

/** The {@link Domains} of a connection. */
export function createDomains(rpc: Rpc): Domains {
  const inspect = inspection(rpc);
  return {
    ...definition(rpc),
    ...power(rpc),
    ...size(rpc),
    ...managedSave(rpc),
    ...inspect,
    ...screens(rpc, inspect.getXml),
  };
}
