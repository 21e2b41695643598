import { MesosHttpError } from '../../http/mesos-http.ts';
import type { ContainerID } from '../../protocol/index.ts';

/** Deeper nesting than this is a mistake, or an attack. */
const DEPTH_MAX = 32;

/**
 * The ids from the outermost container to this one, as `a.b.c`. Pure.
 * @throws MesosHttpError 400 when an id is malformed, in the words of Mesos.
 */
export function containerKey(id: ContainerID): string {
  const ids: string[] = [];
  for (let at: ContainerID | undefined = id; at !== undefined; at = at.parent) {
    // Dots separate ids; slashes would lead out of a directory.
    if (!/^[\w-]+$/.test(at.value)) {
      throw new MesosHttpError(
        400,
        `'ContainerID.value' '${at.value}' contains invalid characters`,
      );
    }
    ids.unshift(at.value);
    if (ids.length > DEPTH_MAX) throw new MesosHttpError(400, "'ContainerID' is nested too deeply");
  }
  return ids.join('.');
}

/** The id of a container by its key. Pure. */
export function containerIdOf(key: string): ContainerID {
  const [value = '', ...parents] = key.split('.').toReversed();
  if (parents.length === 0) return { value };
  return { value, parent: containerIdOf(parents.toReversed().join('.')) };
}
