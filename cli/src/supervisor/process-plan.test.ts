import { describe, expect, it } from 'vitest';
import { layoutOf } from './layout.ts';
import { type FactoryPlan, type ProcessSpec, processSpecs, subnetOf } from './process-plan.ts';

function plan(changes: Partial<FactoryPlan> = {}): FactoryPlan {
  const cluster = (n: number) => ({
    name: `cluster-${n}`,
    masterPort: 5_000 + n * 100,
    vmSchedulerPort: 5_001 + n * 100,
    clusterServerPort: 5_002 + n * 100,
    agents: [1, 2].map((agent) => ({
      name: `cluster-${n}-agent-${agent}`,
      port: 5_010 + n * 100 + agent,
    })),
  });
  return {
    layout: layoutOf('/opt/factory', '/var/lib/factory'),
    options: { clusters: 2, agents: 2, hypervisor: 'simulated' },
    gatewayPorts: [8_080],
    apiServerPorts: [8_081],
    clusters: [cluster(1), cluster(2)],
    resourcesPerAgent: { cpus: 32, memoryMiB: 4_096, diskMiB: 10_000 },
    ...changes,
  };
}

const named = (specs: readonly ProcessSpec[], name: string): ProcessSpec => {
  const found = specs.find((spec) => spec.name === name);
  if (found === undefined) throw new Error(`no process ${name}`);
  return found;
};

describe('the processes of a plan', () => {
  const specs = processSpecs(plan());

  it('are all parts of each cluster, callers before callees', () => {
    expect(specs.map(({ name }) => name)).toEqual([
      'api-gateway',
      'api-server',
      ...[1, 2].flatMap((n) => [
        `cluster-${n}/cluster-server`,
        `cluster-${n}/vm-scheduler`,
        `cluster-${n}/cluster-${n}-agent-1`,
        `cluster-${n}/cluster-${n}-agent-2`,
        `cluster-${n}/mesos-master`,
      ]),
    ]);
  });

  it('are as many gateways and api-servers as there are ports for', () => {
    const several = processSpecs(
      plan({ gatewayPorts: [8_080, 8_082], apiServerPorts: [8_081, 8_083] }),
    );
    const servers = several.map(({ name }) => name).filter((name) => name.startsWith('api-'));
    expect(servers).toEqual(['api-gateway', 'api-gateway-2', 'api-server', 'api-server-2']);
    expect(named(several, 'api-gateway-2').env).toMatchObject({
      FACTORY_GATEWAY_PORT: '8082',
      FACTORY_GATEWAYS: '2',
      FACTORY_API_SERVER_URL: 'http://127.0.0.1:8081,http://127.0.0.1:8083',
    });
    const link = 'http://127.0.0.1:8080,http://127.0.0.1:8082';
    expect(named(several, 'cluster-1/cluster-server').env.FACTORY_LINK_URL).toBe(link);
  });

  it('each have an address of their own on the loopback', () => {
    const urls = specs.map(({ readyUrl }) => readyUrl);
    expect(new Set(urls).size).toBe(urls.length);
    for (const url of urls) expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/health\/ready$/);
  });

  it('offer what they are told to, beside cores, memory and disk', () => {
    const agentResources = 'gpus:2';
    const agentAttributes = 'gpu_devices:{0000:3b:00.0,0000:af:00.0}';
    const options = { ...plan().options, agentResources, agentAttributes };
    const { args } = named(processSpecs(plan({ options })), 'cluster-1/cluster-1-agent-1');
    expect(args).toContain('--resources=cpus:32;mem:4096;disk:10000;gpus:2');
    expect(args).toContain(`--attributes=${agentAttributes}`);
    const plain = named(specs, 'cluster-1/cluster-1-agent-1').args;
    expect(plain.some((arg) => arg.startsWith('--attributes'))).toBe(false);
  });

  it('find each other', () => {
    const server = named(specs, 'cluster-2/cluster-server');
    expect(server.env).toMatchObject({
      FACTORY_CLUSTER_NAME: 'cluster-2',
      FACTORY_LINK_URL: 'http://127.0.0.1:8080',
      FACTORY_MESOS_MASTERS: 'http://127.0.0.1:5200',
      FACTORY_VM_SCHEDULER_URL: 'http://127.0.0.1:5201',
    });
    const agent = named(specs, 'cluster-2/cluster-2-agent-1');
    expect(agent.args).toContain('--master=http://127.0.0.1:5200');
    expect(agent.args).toContain('--resources=cpus:32;mem:4096;disk:10000');
    expect(named(specs, 'api-gateway').env.FACTORY_API_SERVER_URL).toBe('http://127.0.0.1:8081');
  });

  it('get the paths of secrets, never secrets', () => {
    for (const { env, args } of specs) {
      for (const [name, value] of Object.entries(env)) {
        if (!/TOKEN|SECRET|DATABASE_URL/.test(name)) continue;
        expect(name).toMatch(/_FILE$/);
        expect(value).toMatch(/^\/var\/lib\/factory\/secrets\//);
      }
      const withoutPaths = args.join(' ').replaceAll(/"[A-Z_]+_FILE":"[^"]*"/g, '');
      expect(withoutPaths).not.toMatch(/postgres:|secrets/);
    }
  });

  it('wait for the bootstrap only where they need its token', () => {
    const late = specs.filter(({ afterBootstrap }) => afterBootstrap).map(({ name }) => name);
    expect(late).toEqual(['cluster-1/cluster-server', 'cluster-2/cluster-server']);
  });

  it('tell executors which host they are on', () => {
    const agent = named(specs, 'cluster-1/cluster-1-agent-2');
    const flag = agent.args.find((arg) => arg.startsWith('--executor_environment_variables='));
    expect(JSON.parse(flag?.slice('--executor_environment_variables='.length) ?? '')).toMatchObject(
      {
        FACTORY_HOST_NAME: 'cluster-1-agent-2',
        FACTORY_HOST_DIR: '/var/lib/factory/clusters/cluster-1/hosts/cluster-1-agent-2',
        FACTORY_HYPERVISOR: 'simulated',
      },
    );
  });

  it('start executors by one shell word each, whatever the checkout is called', () => {
    const layout = layoutOf("/opt/it's mine", '/var/lib/factory');
    const odd = processSpecs(plan({ layout }));
    const command = named(odd, 'cluster-1/vm-scheduler').env.FACTORY_VM_EXECUTOR_COMMAND;
    expect(command).toContain(`'/opt/it'\\''s mine/services/vm-executor/src/main.ts'`);
  });
});

describe('the subnet of a factory', () => {
  it('is one of 64 networks of its own, the same at each start', () => {
    const subnets = Array.from({ length: 200 }, (_, n) =>
      subnetOf(n.toString(16).padStart(6, '0')),
    );
    expect(new Set(subnets).size).toBe(64);
    for (const subnet of subnets) {
      const second = Number(/^10\.(\d+)\.0\.0\/16$/.exec(subnet)?.[1]);
      expect(second).toBeGreaterThanOrEqual(64);
      expect(second).toBeLessThanOrEqual(127);
    }
    const { instance } = layoutOf('/opt/factory', '/var/lib/factory');
    expect(subnetOf(instance)).toBe(subnetOf(layoutOf('/elsewhere', '/var/lib/factory/').instance));
  });
});
