import { type BatchRequest, type Flavor, PROBLEMS } from '@factory/contracts';
import { ProblemError } from '@factory/runtime';

/**
 * A request with figures in place of the names of flavors: what is asked for is what these were then.
 * A flavor's disk is what machines get that are not given another.
 * @throws ProblemError naming the field at fault.
 */
export function withoutFlavors(request: BatchRequest, known: readonly Flavor[]): BatchRequest {
  const { flavor: name, flavors: names, ...rest } = request;
  if (name === undefined && names === undefined) return request;
  const named = (each: string, field: string): Flavor => {
    const found = known.find((flavor) => flavor.name === each);
    if (found !== undefined) return found;
    const all = known.map((flavor) => flavor.name).join(', ');
    throw invalid(field, `there is no flavor ${each}; known are ${all === '' ? 'none' : all}`);
  };
  if (name !== undefined) {
    if (names !== undefined) throw invalid('flavors', 'give either flavor or flavors, not both');
    if (rest.totalVcpus !== undefined) throw invalid('flavor', 'with totalVcpus, give flavors');
    if (rest.vcpus !== undefined || rest.memoryMiB !== undefined) {
      throw invalid('flavor', 'give either flavor, or vcpus and memoryMiB');
    }
    const { vcpus, memoryMiB, diskGiB } = named(name, 'flavor');
    return { diskGiB, ...rest, vcpus, memoryMiB };
  }
  if (rest.totalVcpus === undefined) throw invalid('flavors', 'with count, give flavor');
  if (rest.shapes !== undefined) throw invalid('flavors', 'give either flavors or shapes');
  const chosen = (names ?? []).map((each, index) => named(each, `flavors[${index}]`));
  // Machines of one batch have disks of one size.
  const diskGiB = Math.max(...chosen.map((each) => each.diskGiB));
  const shapes = chosen.map(({ vcpus, memoryMiB }) => ({ vcpus, memoryMiB }));
  return { diskGiB, ...rest, shapes };
}

function invalid(field: string, detail: string): ProblemError {
  return new ProblemError(PROBLEMS.invalidRequest, detail, { field });
}
