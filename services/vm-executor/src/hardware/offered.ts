import { HOST_ATTRIBUTES, type HostAttribute } from '@factory/contracts';

/** What machines may have of a host for themselves, as its agent's attributes say. */
export interface OfferedHardware {
  /** PCI addresses. */
  readonly gpus: readonly string[];
  readonly gpuModel: string | undefined;
  readonly pinnedCpus: ReadonlySet<number>;
}

/** CPUs that a range may name; more is a mistake that should not take the host's memory. */
const CPUS_MAX = 4096;

/** Reads the attributes; what they don't say the host does not have. Pure. */
export function offeredHardware(attributes: readonly HostAttribute[]): OfferedHardware {
  const named = (name: string) => attributes.filter((attribute) => attribute.name === name);
  const { gpuDevices, gpuModel, pinnedCpus } = HOST_ATTRIBUTES;
  return {
    gpus: named(gpuDevices).flatMap(textsOf),
    gpuModel: named(gpuModel).flatMap(textsOf)[0],
    pinnedCpus: new Set(named(pinnedCpus).flatMap(numbersOf)),
  };
}

/** A single one needs no braces: `gpu_devices:0000:3b:00.0`. */
function textsOf(attribute: HostAttribute): readonly string[] {
  switch (attribute.type) {
    case 'set':
      return attribute.items;
    case 'text':
      return [attribute.text];
    case 'scalar':
      return [String(attribute.scalar)];
    case 'ranges':
      return [];
  }
}

function numbersOf(attribute: HostAttribute): readonly number[] {
  switch (attribute.type) {
    case 'ranges':
      return attribute.ranges.flatMap(([first, last]) => {
        const length = Math.min(last - first + 1, CPUS_MAX);
        return Array.from({ length }, (_, index) => first + index);
      });
    case 'scalar':
      return [attribute.scalar];
    case 'set':
    case 'text':
      return textsOf(attribute).map(Number).filter(Number.isInteger);
  }
}
