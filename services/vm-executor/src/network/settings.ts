import { integerSetting, optional, textSetting } from '@factory/runtime';

const ADDRESS = /^\d{1,3}(\.\d{1,3}){3}$/;
const ADDRESSES = /^\d{1,3}(\.\d{1,3}){3}(,\d{1,3}(\.\d{1,3}){3})*$/;
const RANGES = /^\d{1,3}(\.\d{1,3}){3}\/\d{1,2}(,\d{1,3}(\.\d{1,3}){3}\/\d{1,2})*$/;

/** Where the host's networks are remembered; the stand-down has to know it too. */
export const runDirSetting = textSetting({
  env: 'FACTORY_RUN_DIR',
  flag: 'run-dir',
  default: '/run/factory',
  describe: "Folder of what is gone after the host's restart: the state of its guests' networks.",
});

/** The settings of the networks that guests are in. */
export const networkSettings = {
  runDir: runDirSetting,
  tunnelAddress: optional(
    textSetting({
      env: 'FACTORY_TUNNEL_ADDRESS',
      pattern: ADDRESS,
      patternHint: 'an IPv4 address',
      describe:
        "Where other hosts send the packets of subnets that they share; by default the agent's " +
        'address, and none when that is the loopback.',
    }),
  ),
  vxlanPort: integerSetting({
    env: 'FACTORY_VXLAN_PORT',
    min: 1,
    max: 65_535,
    default: 4789,
    describe: 'UDP port of those tunnels, the same on all hosts of a cluster.',
  }),
  underlayMtu: integerSetting({
    env: 'FACTORY_UNDERLAY_MTU',
    min: 1_280,
    max: 9_216,
    default: 1_500,
    describe: 'Bytes of a packet between hosts, the same on all of them; guests have 50 less.',
  }),
  protectedRanges: optional(
    textSetting({
      env: 'FACTORY_PROTECTED_RANGES',
      pattern: RANGES,
      patternHint: 'IPv4 ranges, divided by commas',
      describe:
        'What no guest may reach, whatever its subnet; by default the network that the tunnel ' +
        'address is in. The host itself is never reached.',
    }),
  ),
  nameServers: optional(
    textSetting({
      env: 'FACTORY_NAME_SERVERS',
      pattern: ADDRESSES,
      patternHint: 'IPv4 addresses, divided by commas',
      describe:
        'Who answers the names that guests of subnets with NAT ask for; by default the servers ' +
        'in /etc/resolv.conf.',
    }),
  ),
};
