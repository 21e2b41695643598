import { join } from 'node:path';
import type { Mount, Namespace, Surroundings } from './surroundings.ts';
import type { Account } from './user-account.ts';

/** What a container runs, and in which surroundings. */
export interface LaunchPlan {
  /** Of this container, on the host. */
  readonly runtimeDirectory: string;
  /** Working directory of the command, on the host; the surroundings may name another. */
  readonly directory: string;
  readonly stdin: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly environment: Readonly<Record<string, string>>;
  /** Who the command runs as; `undefined`: as the agent. */
  readonly account: Account | undefined;
  readonly surroundings: Surroundings;
  readonly command: readonly string[];
  /** The command gets a terminal of its own, whose name is written to `tty`. */
  readonly terminal?: { readonly tty: string; readonly rows: number; readonly columns: number };
}

/** The programs of util-linux and coreutils that a launch needs, by their paths. */
export interface LaunchTools {
  readonly setsid: string;
  readonly env: string;
  readonly setpriv: string;
  readonly prlimit: string;
  readonly unshare: string;
  readonly nsenter: string;
  readonly mount: string;
  readonly mkdir: string;
  readonly hostname: string;
  readonly realpath: string;
  readonly script: string;
  readonly tty: string;
  readonly stty: string;
  /** Whether env(1) can undo what a shell does to its background jobs: GNU's, since 8.31. */
  readonly canResetSignals: boolean;
}

/** Names that a shell treats in its own way, or that would change how it reads what follows. */
const SHELL_OWN = new Set(['IFS', 'OPTIND', 'LINENO', 'PPID', 'ENV', 'PS1', 'PS2', 'PS4', '_']);
const IDENTIFIER = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Exit status of a container whose surroundings can't be made; env(1) and others use it so too. */
const CANNOT_PREPARE = 125;

/** The text in single quotes, for a POSIX shell. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Words of a shell command, quoted where they need it. */
export function shellWords(words: readonly string[]): string {
  return words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : shellQuote(word))).join(' ');
}

/** Shell texts for the runtime directory of a container; a file, for arguments can be seen by all. */
export interface LaunchScripts {
  /** Becomes the command, or a shell that reads `enter`. */
  readonly launch: string;
  /** Read in the container's namespaces, if it has any. */
  readonly enter: string | undefined;
}

/**
 * The shell text that becomes the command, in a session of its own, with just the given environment
 * and in the surroundings that it makes. It is read after the gate has opened. Pure.
 */
export function launchScripts(plan: LaunchPlan, tools: LaunchTools): LaunchScripts {
  const { namespaces, joins, mounts, rootfs, hostname } = plan.surroundings;
  const setUp = [
    ...overlayLines(plan.surroundings, tools),
    ...mounts.flatMap((mount) => mountLines(mount, rootfs, tools)),
    ...(hostname === undefined ? [] : [orFail(shellWords([tools.hostname, hostname]))]),
  ];
  if (joins !== undefined) {
    const flags = [`--target=${joins.pid}`, ...joins.namespaces.map((each) => `--${each}`)];
    // What is mounted for it alone its parent must not see.
    const own = setUp.length === 0 ? [] : unshareWords(['mount'], tools);
    const end = [...setUp, sayEntered(plan), ...becomeCommand(plan, tools)];
    return inNewShell(plan, tools, [tools.nsenter, ...flags, '--', ...own], end);
  }
  if (namespaces.length === 0 && setUp.length === 0 && rootfs === undefined) {
    return { launch: lines(...becomeCommand(plan, tools, [tools.setsid])), enter: undefined };
  }
  const end = namespaces.includes('pid') ? runAsInit(plan, tools) : becomeCommand(plan, tools);
  return inNewShell(plan, tools, unshareWords(namespaces, tools), [
    ...setUp,
    sayEntered(plan),
    ...end,
  ]);
}

/** A shell in other namespaces reads the rest: only a program that starts can be put into them. */
function inNewShell(
  plan: LaunchPlan,
  tools: LaunchTools,
  enter: readonly string[],
  rest: readonly string[],
): LaunchScripts {
  const shell = ['/bin/sh', `${plan.runtimeDirectory}/enter`];
  const stderr = `exec 2>>${shellQuote(plan.stderr)}`;
  const launch = lines(stderr, `exec ${shellWords([tools.setsid, ...enter, ...shell])}`);
  return { launch, enter: lines(...rest) };
}

/** Tells those that are to be nested in it that it is ready for them. */
function sayEntered({ runtimeDirectory }: LaunchPlan): string {
  return `: >${shellQuote(`${runtimeDirectory}/entered`)}`;
}

function unshareWords(namespaces: readonly Namespace[], tools: LaunchTools): readonly string[] {
  if (namespaces.length === 0) return [];
  const flags = namespaces.map((each) => `--${each}`);
  // Mounts of the host show up in the container (as Mesos has it), never the other way round.
  const mount = namespaces.includes('mount') ? ['--propagation=slave'] : [];
  const pid = namespaces.includes('pid') ? ['--fork', '--kill-child=KILL'] : [];
  return [tools.unshare, ...flags, ...mount, ...pid];
}

/**
 * Process 1 of a namespace is spared by all signals that it does not handle, and can't end by one.
 * So it is this shell, which tells how the command ended.
 */
function runAsInit(plan: LaunchPlan, tools: LaunchTools): readonly string[] {
  const status = shellQuote(`${plan.runtimeDirectory}/inner-status`);
  const jobs = shellQuote(`${plan.runtimeDirectory}/inner-jobs`);
  return [
    `(`,
    ...becomeCommand(plan, tools),
    `) <${shellQuote(plan.stdin)} &`,
    'wait $!',
    'code=$?',
    'status=$((code << 8))',
    'if [ "$code" -gt 128 ]; then',
    `  jobs -l >${jobs}`,
    `  read -r job <${jobs}`,
    // As in launcher.sh: 137 may be exit 137 or SIGKILL.
    "  case $job in *'Done('* | *'Exit '*) ;; *) status=$((code - 128)) ;; esac",
    'fi',
    `echo "$status" >${status}`,
  ];
}

function becomeCommand(
  plan: LaunchPlan,
  tools: LaunchTools,
  first: readonly string[] = [],
): readonly string[] {
  const { surroundings, account } = plan;
  const variables = Object.entries(plan.environment);
  const isPlain = ([name]: readonly [string, string]): boolean =>
    IDENTIFIER.test(name) && !SHELL_OWN.has(name);
  // What a shell can't export env(1) can; not all goes there, for everyone can see arguments.
  const odd = variables.filter((each) => !isPlain(each)).map(([name, value]) => `${name}=${value}`);
  const resets = tools.canResetSignals ? ['--default-signal=INT,QUIT'] : [];
  const inner = [
    ...surroundings.wrappers.flatMap(([name = '', ...rest]) => [toolNamed(name, tools), ...rest]),
    ...[tools.env, ...resets, ...odd],
    ...changeRootAndUser(surroundings, account, tools),
    ...plan.command,
  ];
  const argv = [...first, ...inTerminal(plan, inner, tools)];
  const streams = `<${shellQuote(plan.stdin)} >>${shellQuote(plan.stdout)} 2>>${shellQuote(plan.stderr)}`;
  return [
    ...(surroundings.rootfs === undefined ? [orFail(`cd ${shellQuote(plan.directory)}`)] : []),
    `exec ${streams}`,
    'unset PATH PWD OLDPWD',
    ...variables.filter(isPlain).map(([name, value]) => `export ${name}=${shellQuote(value)}`),
    `exec ${shellWords(argv)}`,
  ];
}

function toolNamed(name: string, { prlimit, setpriv }: LaunchTools): string {
  return { prlimit, setpriv }[name] ?? name;
}

/** script(1) makes a terminal, and passes on what comes and goes. */
function inTerminal(
  { terminal }: LaunchPlan,
  command: readonly string[],
  { script, tty, stty }: LaunchTools,
): readonly string[] {
  if (terminal === undefined) return command;
  const { rows, columns } = terminal;
  // Its name last: who knows it may change its size.
  const setUp = `${stty} rows ${rows} columns ${columns}; ${tty} >${shellQuote(terminal.tty)}`;
  const shell = `${setUp}; exec ${shellWords(command)}`;
  return [script, '--quiet', '--flush', '--return', '--command', shell, '/dev/null'];
}

function changeRootAndUser(
  { rootfs, directory = '/', privileges }: Surroundings,
  account: Account | undefined,
  tools: LaunchTools,
): readonly string[] {
  if (rootfs === undefined) {
    const { uid, gid } = account ?? {};
    const user = account ? [`--reuid=${uid}`, `--regid=${gid}`, '--init-groups'] : [];
    const options = [...user, ...privileges];
    return options.length === 0 ? [] : [tools.setpriv, ...options, '--'];
  }
  const user = account === undefined ? [] : [`--userspec=${account.uid}:${account.gid}`];
  // unshare(1) can change the root and the directory in it; chroot(1) only goes to `/`.
  if (user.length === 0) return [tools.unshare, `--root=${rootfs}`, `--wd=${directory}`, '--'];
  return [
    ...[tools.unshare, `--root=${rootfs}`, `--wd=${directory}`],
    ...[`--setuid=${account?.uid}`, `--setgid=${account?.gid}`, '--'],
  ];
}

function overlayLines({ overlay, rootfs }: Surroundings, tools: LaunchTools): readonly string[] {
  if (overlay === undefined || rootfs === undefined) return [];
  const { lower, upper, work } = overlay;
  const options = `lowerdir=${lower.join(':')},upperdir=${upper},workdir=${work}`;
  return [orFail(shellWords([tools.mount, '-t', 'overlay', '-o', options, 'overlay', rootfs]))];
}

function mountLines(
  mount: Mount,
  rootfs: string | undefined,
  tools: LaunchTools,
): readonly string[] {
  const { source, type, isReadOnly = false, options, create } = mount;
  const target = rootfs === undefined ? mount.target : join(rootfs, mount.target);
  const parent = target.slice(0, target.lastIndexOf('/')) || '/';
  const made = {
    directory: [orFail(shellWords([tools.mkdir, '-p', target]))],
    file: [
      orFail(shellWords([tools.mkdir, '-p', parent])),
      `[ -e ${shellQuote(target)} ] || ${orFail(`: >${shellQuote(target)}`)}`,
    ],
  };
  const words =
    type === 'bind'
      ? [tools.mount, '--rbind', source, target]
      : [
          tools.mount,
          '-t',
          type,
          ...(options === undefined ? [] : ['-o', options]),
          source,
          target,
        ];
  const readOnly = [tools.mount, '-o', 'remount,bind,ro', target];
  return [
    ...(rootfs === undefined ? [] : [orFail(staysThere(target, tools))]),
    ...(create === undefined ? [] : made[create]),
    orFail(shellWords(words)),
    ...(isReadOnly ? [orFail(shellWords(readOnly))] : []),
  ];
}

/** A link in an image must not lead what is made for the container to somewhere on the host. */
function staysThere(target: string, tools: LaunchTools): string {
  const resolved = `"$(${shellWords([tools.realpath, '-m', '--', target])})"`;
  return `[ ${resolved} = ${shellQuote(target)} ]`;
}

function orFail(command: string): string {
  return `${command} || exit ${CANNOT_PREPARE}`;
}

function lines(...all: readonly string[]): string {
  return `${all.join('\n')}\n`;
}
