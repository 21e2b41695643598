/** A kernel namespace, by the name of its option of unshare(1) and nsenter(1). */
export type Namespace = 'mount' | 'pid' | 'ipc' | 'uts' | 'net';

/** Something to be mounted where the container sees it. */
export interface Mount {
  /** A path of the host for `bind`; the file system's name otherwise. */
  readonly source: string;
  /** Absolute, as the container sees it. */
  readonly target: string;
  readonly type: 'bind' | 'proc' | 'tmpfs' | 'devpts';
  readonly isReadOnly?: boolean;
  readonly options?: string;
  /** Whether the target must be made, and as what. */
  readonly create?: 'directory' | 'file';
}

/** An overlayfs; its layers stay as they are. */
export interface Overlay {
  readonly lower: readonly string[];
  readonly upper: string;
  readonly work: string;
}

/** What isolators want around a container's command. */
export interface Surroundings {
  readonly environment: Readonly<Record<string, string>>;
  readonly namespaces: readonly Namespace[];
  /** In the order in which they are to be made. */
  readonly mounts: readonly Mount[];
  /** Links to be made in the sandbox: `[where it points, absolute path of the link]`. */
  readonly links: readonly (readonly [string, string])[];
  /** A directory of the host that becomes the container's `/`. */
  readonly rootfs: string | undefined;
  /** What `rootfs` is mounted from: directories, the topmost first, and where changes go. */
  readonly overlay: Overlay | undefined;
  /** Working directory in `rootfs`. */
  readonly directory: string | undefined;
  readonly hostname: string | undefined;
  /** Process of a container whose namespaces are to be shared. */
  readonly joins: { readonly pid: number; readonly namespaces: readonly Namespace[] } | undefined;
  /** Programs that change what a process may do and then become the next. */
  readonly wrappers: readonly (readonly string[])[];
  /** Options of setpriv(1) for the last step before the command, when it has its user. */
  readonly privileges: readonly string[];
  /** What runs when the command names no program (an image's entrypoint). */
  readonly defaultCommand: readonly string[];
}

const NONE: Surroundings = {
  environment: {},
  namespaces: [],
  mounts: [],
  links: [],
  rootfs: undefined,
  overlay: undefined,
  directory: undefined,
  hostname: undefined,
  joins: undefined,
  wrappers: [],
  privileges: [],
  defaultCommand: [],
};

/** All that isolators want, in their order; of single things the last wish counts. Pure. */
export function mergeSurroundings(all: readonly Partial<Surroundings>[]): Surroundings {
  return all.reduce<Surroundings>(
    (sum, each) => ({
      environment: { ...sum.environment, ...each.environment },
      namespaces: [...new Set([...sum.namespaces, ...(each.namespaces ?? [])])],
      mounts: [...sum.mounts, ...(each.mounts ?? [])],
      links: [...sum.links, ...(each.links ?? [])],
      rootfs: each.rootfs ?? sum.rootfs,
      overlay: each.overlay ?? sum.overlay,
      directory: each.directory ?? sum.directory,
      hostname: each.hostname ?? sum.hostname,
      joins: each.joins ?? sum.joins,
      wrappers: [...sum.wrappers, ...(each.wrappers ?? [])],
      privileges: [...sum.privileges, ...(each.privileges ?? [])],
      defaultCommand: each.defaultCommand ?? sum.defaultCommand,
    }),
    NONE,
  );
}
