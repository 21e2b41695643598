import { defineSettings, integerSetting, secretSetting, textSetting } from '@factory/runtime';

/** Everything that can be set, by environment variable. */
export const settingsDefinition = defineSettings({
  host: textSetting({
    env: 'FACTORY_VM_SCHEDULER_HOST',
    default: '127.0.0.1',
    describe: 'Address to listen on, for the cluster-server.',
  }),
  port: integerSetting({
    env: 'FACTORY_VM_SCHEDULER_PORT',
    default: 5601,
    min: 0,
    max: 65535,
    describe: 'Port to listen on.',
  }),
  databaseUrl: secretSetting({
    env: 'FACTORY_CLUSTER_DATABASE_URL',
    describe: "The cluster's PostgreSQL, shared with the cluster-server.",
  }),
  secretKey: secretSetting({
    env: 'FACTORY_CLUSTER_SECRET_KEY',
    describe:
      "Seals passwords that are on their way to a guest in the cluster's PostgreSQL: 32 bytes, as 64 hexadecimal digits or in base64. Keep it elsewhere than the database.",
  }),
  masters: textSetting({
    env: 'FACTORY_MESOS_MASTERS',
    default: 'http://127.0.0.1:5050',
    describe:
      'The Mesos masters: their URLs, separated by commas; or the ZooKeeper that they elect their leader on, zk://host:port,host:port/path; or file:///path of a file with either. LIBPROCESS_SSL_ENABLED=true, with LIBPROCESS_SSL_CA_FILE, speaks TLS with all of them.',
  }),
  role: textSetting({
    env: 'FACTORY_VM_ROLE',
    default: 'compute-factory',
    describe: 'Mesos role that the VMs run under.',
  }),
  principal: textSetting({
    env: 'FACTORY_MESOS_PRINCIPAL',
    default: 'compute-factory',
    describe: 'Mesos principal of the framework.',
  }),
  pullsMax: integerSetting({
    env: 'FACTORY_IMAGE_PULLS_MAX',
    default: 8,
    min: 1,
    max: 10_000,
    describe: "Images copied from shared storage to the cluster's hosts at a time.",
  }),
  executorCommand: textSetting({
    env: 'FACTORY_VM_EXECUTOR_COMMAND',
    describe: "Shell command that starts the VM executor on an agent's host.",
  }),
});
