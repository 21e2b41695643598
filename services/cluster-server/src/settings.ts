import {
  defineSettings,
  durationMsSetting,
  integerSetting,
  optional,
  secretSetting,
  textSetting,
  urlSetting,
  urlsSetting,
} from '@factory/runtime';

/** Everything that can be set, by environment variable. */
export const settingsDefinition = defineSettings({
  host: textSetting({
    env: 'FACTORY_CLUSTER_SERVER_HOST',
    default: '127.0.0.1',
    describe: 'Address to listen on, for health checks and the picture of the cluster.',
  }),
  port: integerSetting({
    env: 'FACTORY_CLUSTER_SERVER_PORT',
    default: 5600,
    min: 0,
    max: 65535,
    describe: 'Port to listen on.',
  }),
  relayUrl: optional(
    urlSetting({
      env: 'FACTORY_CONSOLE_RELAY_URL',
      describe:
        'Where hosts reach this process, to bring consoles to; by default, the address it listens on.',
    }),
  ),
  metricsIntervalMs: durationMsSetting({
    env: 'FACTORY_METRICS_INTERVAL',
    default: 15_000,
    min: 1_000,
    max: 60_000,
    describe: 'How often it is told upward what machines use.',
  }),
  name: textSetting({
    env: 'FACTORY_CLUSTER_NAME',
    default: 'cluster-1',
    describe: 'Name under which the cluster enrols.',
  }),
  region: textSetting({
    env: 'FACTORY_CLUSTER_REGION',
    default: '',
    describe:
      "Where the cluster is, as batches may ask for it; what the factory's operators say goes before.",
  }),
  attributes: textSetting({
    env: 'FACTORY_CLUSTER_ATTRIBUTES',
    default: '',
    describe: 'What else there is to choose it by, as in tier=gold,power=green.',
  }),
  keyDays: integerSetting({
    env: 'FACTORY_LINK_KEY_DAYS',
    default: 90,
    min: 1,
    max: 3650,
    describe: 'After so many days the key is replaced by which the api-server knows the cluster.',
  }),
  databaseUrl: secretSetting({
    env: 'FACTORY_CLUSTER_DATABASE_URL',
    describe: "The cluster's PostgreSQL, shared with the vm-scheduler.",
  }),
  apiUrls: urlsSetting({
    env: 'FACTORY_LINK_URL',
    default: ['http://127.0.0.1:8080'],
    describe:
      'Where the cluster dials out to: the gateways, or the api-servers themselves. Any will do.',
  }),
  enrolmentToken: optional(
    secretSetting({
      env: 'FACTORY_ENROLMENT_TOKEN',
      describe: 'One-time token that the cluster joins with; not needed after that.',
    }),
  ),
  masters: textSetting({
    env: 'FACTORY_MESOS_MASTERS',
    default: 'http://127.0.0.1:5050',
    describe:
      'The Mesos masters: their URLs, separated by commas; or the ZooKeeper that they elect their leader on, zk://host:port,host:port/path; or file:///path of a file with either. LIBPROCESS_SSL_ENABLED=true, with LIBPROCESS_SSL_CA_FILE, speaks TLS with all of them.',
  }),
  vmScheduler: urlSetting({
    env: 'FACTORY_VM_SCHEDULER_URL',
    default: 'http://127.0.0.1:5601',
    describe: 'Where the vm-scheduler listens.',
  }),
  volumeDirectory: optional(
    textSetting({
      env: 'FACTORY_VOLUME_DIR',
      describe: 'Folder of the volumes on the shared storage; without it the cluster has none.',
    }),
  ),
  imageDirectory: textSetting({
    env: 'FACTORY_IMAGE_DIR',
    default: '/var/lib/compute-factory/images',
    describe: 'Folder of the images, the same on every host.',
  }),
});
