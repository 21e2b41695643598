/** Groups of endpoints that are authenticated together; the names are Mesos'. */
export type Realm =
  | 'mesos-master-readonly'
  | 'mesos-master-readwrite'
  | 'mesos-master-scheduler'
  | 'mesos-master-agent'
  | 'mesos-agent-readonly'
  | 'mesos-agent-readwrite'
  | 'mesos-agent-executor';

/** Open to everybody, as in Mesos: probes and redirects know no secrets. */
const OPEN = ['/health', '/health/live', '/health/ready', '/version', '/redirect'];

const MASTER_READWRITE = [
  ...['/api/v1', '/quota', '/weights', '/logging/toggle', '/teardown', '/reserve', '/unreserve'],
  ...['/create-volumes', '/destroy-volumes', '/maintenance/schedule', '/maintenance/status'],
  ...['/machine/up', '/machine/down'],
];

const AGENT_READWRITE = ['/api/v1', '/api/v1/agent_info', '/logging/toggle'];

/** The realm of a path of the master; `undefined`: open to all. Unknown paths are readonly. */
export function masterRealm(path: string): Realm | undefined {
  const own = path.replace(/^\/master(?=\/)/, '');
  if (OPEN.includes(own)) return undefined;
  if (own === '/api/v1/scheduler') return 'mesos-master-scheduler';
  if (own.startsWith('/internal/')) return 'mesos-master-agent';
  if (MASTER_READWRITE.some((prefix) => own === prefix || own.startsWith(`${prefix}/`))) {
    return 'mesos-master-readwrite';
  }
  return 'mesos-master-readonly';
}

/** The realm of a path of the agent; `undefined`: open to all. Unknown paths are readonly. */
export function agentRealm(path: string): Realm | undefined {
  const own = path.replace(/^\/slave\(1\)(?=\/)/, '');
  if (OPEN.includes(own)) return undefined;
  if (own === '/api/v1/executor') return 'mesos-agent-executor';
  return AGENT_READWRITE.includes(own) ? 'mesos-agent-readwrite' : 'mesos-agent-readonly';
}
