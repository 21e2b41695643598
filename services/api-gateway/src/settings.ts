import {
  defineSettings,
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
    env: 'FACTORY_GATEWAY_HOST',
    default: '127.0.0.1',
    describe: 'Address to listen on. Put TLS in front before opening it to the world.',
  }),
  port: integerSetting({
    env: 'FACTORY_GATEWAY_PORT',
    flag: 'port',
    default: 8080,
    min: 0,
    max: 65535,
    describe: 'Port to listen on.',
  }),
  apiServers: urlsSetting({
    env: 'FACTORY_API_SERVER_URL',
    default: ['http://127.0.0.1:8081'],
    describe: 'Where the api-servers listen. A call that one does not take goes to another.',
  }),
  internalToken: secretSetting({
    env: 'FACTORY_INTERNAL_TOKEN',
    describe: 'What the gateway and the api-server know each other by.',
  }),
  requestsPerSecond: integerSetting({
    env: 'FACTORY_RATE_LIMIT_PER_SECOND',
    default: 200,
    min: 1,
    describe: 'Requests a second that one API key may make, averaged over ten seconds.',
  }),
  redisUrl: optional(
    urlSetting({
      env: 'REDIS_URL',
      protocols: ['redis', 'rediss'],
      describe: 'Shares rate limits and replay protection between several gateways.',
    }),
  ),
  gateways: integerSetting({
    env: 'FACTORY_GATEWAYS',
    default: 1,
    min: 1,
    describe:
      'How many gateways there are. Several need REDIS_URL: each would let through what another has seen.',
  }),
});
