import {
  booleanSetting,
  defineSettings,
  durationMsSetting,
  integerSetting,
  optional,
  secretSetting,
  textSetting,
  urlSetting,
} from '@factory/runtime';

/** Everything that can be set, by environment variable. */
export const settingsDefinition = defineSettings({
  host: textSetting({
    env: 'FACTORY_API_HOST',
    default: '127.0.0.1',
    describe: 'Address to listen on. Only the gateway should reach it.',
  }),
  port: integerSetting({
    env: 'FACTORY_API_PORT',
    flag: 'port',
    default: 8081,
    min: 0,
    max: 65535,
    describe: 'Port to listen on.',
  }),
  selfUrl: optional(
    urlSetting({
      env: 'FACTORY_API_SELF_URL',
      describe:
        'Where other api-servers on the same database reach this one, for consoles; by default, the address it listens on.',
    }),
  ),
  consoleIdleMs: durationMsSetting({
    env: 'FACTORY_CONSOLE_IDLE',
    default: 30 * 60_000,
    min: 1_000,
    describe: 'A console over which nothing passes for this long is ended.',
  }),
  consoleTotalMs: durationMsSetting({
    env: 'FACTORY_CONSOLE_TOTAL',
    default: 12 * 3_600_000,
    min: 1_000,
    describe: 'A console is ended after this long in any case.',
  }),
  sessionIdleMs: durationMsSetting({
    env: 'FACTORY_SESSION_IDLE',
    default: 60 * 60_000,
    min: 300_000,
    describe: 'Who is signed in and does nothing for this long has to sign in again.',
  }),
  sessionTotalMs: durationMsSetting({
    env: 'FACTORY_SESSION_TOTAL',
    default: 12 * 3_600_000,
    min: 300_000,
    describe: 'Who is signed in has to sign in again after this long in any case.',
  }),
  cookieSecure: booleanSetting({
    env: 'FACTORY_COOKIE_SECURE',
    default: false,
    describe:
      "Whether browsers send a session's cookie over TLS only: set it where TLS is in front of the gateway.",
  }),
  internalToken: secretSetting({
    env: 'FACTORY_INTERNAL_TOKEN',
    describe: 'What the gateway and the api-server know each other by.',
  }),
  secretKey: secretSetting({
    env: 'FACTORY_SECRET_KEY',
    describe: 'Seals the secrets of API keys: 32 bytes as 64 hexadecimal digits or in base64.',
  }),
  subnetCidr: textSetting({
    env: 'FACTORY_SUBNET_CIDR',
    default: '10.80.0.0/16',
    describe: 'Network of the subnet `default` that a project gets: private, of /16 to /29.',
  }),
  databaseUrl: optional(
    secretSetting({
      env: 'DATABASE_URL',
      describe: 'PostgreSQL to use. Without it, one of our own runs under the data directory.',
    }),
  ),
  redisUrl: optional(
    urlSetting({
      env: 'REDIS_URL',
      protocols: ['redis', 'rediss'],
      describe: 'Redis for background jobs. Without it they are kept in PostgreSQL.',
    }),
  ),
  imageDirectory: optional(
    textSetting({
      env: 'FACTORY_IMAGE_STORE_DIR',
      describe:
        "Where the content of projects' images is kept for the clusters; shared by all api-servers. Without it, images/ in the data directory.",
    }),
  ),
  imageGiBMax: integerSetting({
    env: 'FACTORY_IMAGE_GIB_MAX',
    default: 1024,
    min: 1,
    max: 65_536,
    describe: 'The largest image that may be uploaded or fetched, in GiB.',
  }),
  imagesFromInside: booleanSetting({
    env: 'FACTORY_IMAGES_FROM_INSIDE',
    default: false,
    describe:
      'Whether images may be fetched from addresses outside of the public internet, as an own mirror. Every user could then have the api-server read what it can reach.',
  }),
  webhooksToInside: booleanSetting({
    env: 'FACTORY_WEBHOOKS_TO_INSIDE',
    default: false,
    describe:
      'Whether webhooks may call addresses outside of the public internet. Every user could then have the api-server call what it can reach.',
  }),
  dataDirectory: textSetting({
    env: 'FACTORY_DATA_DIR',
    default: '.factory/api-server',
    describe: 'Where our own PostgreSQL lives when DATABASE_URL is not set.',
  }),
});
