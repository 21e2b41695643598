// Made of the OpenAPI document by test/docs; see CONTRIBUTING.md. Not to be edited.

import type { BatchId, ClusterId, ImageId, OperationId, ProjectId, SubnetId, VmId, VolumeId } from './ids.ts';

export type CreateBatchBody = { readonly name: string; readonly image: string; readonly count?: number; readonly vcpus?: number; readonly memoryMiB?: number; readonly flavor?: string; readonly totalVcpus?: number; readonly shapes?: readonly ({ readonly vcpus: number; readonly memoryMiB: number })[]; readonly flavors?: readonly (string)[]; readonly diskGiB?: number; readonly sshPublicKeys?: readonly (string)[]; readonly userData?: string; readonly labels?: Readonly<Record<string, string>>; readonly adminPassword?: string; readonly hardware?: { readonly firmware?: 'bios' | 'uefi' | 'uefi-secure'; readonly os?: 'linux' | 'windows'; readonly devices?: 'virtio' | 'emulated'; readonly tpm?: boolean; readonly cpu?: { readonly model?: string; readonly pinned?: boolean; readonly numaNodes?: number; readonly hugepages?: '2M' | '1G' }; readonly gpus?: number; readonly gpuModel?: string }; readonly autostart?: boolean; readonly fill?: 'all' | 'bestEffort' | { readonly atLeast: number }; readonly deadlineSeconds?: number; readonly lifetimeSeconds?: number; readonly expiresAt?: string; readonly holdId?: string; readonly network?: { readonly subnet: string; readonly ipAddress?: string }; readonly nics?: readonly ({ readonly subnet: string; readonly ipAddress?: string })[]; readonly securityRules?: readonly ({ readonly direction: 'in' | 'out'; readonly protocol: 'any' | 'tcp' | 'udp' | 'icmp'; readonly ports?: readonly [number, number]; readonly cidr?: string; readonly action: 'accept' | 'drop' })[]; readonly volumes?: readonly ({ readonly volume: string; readonly path?: string; readonly readOnly?: boolean })[]; readonly externalAddress?: boolean; readonly requirements?: readonly ({ readonly name: string; readonly op: 'eq'; readonly value: string } | { readonly name: string; readonly op: 'in'; readonly values: readonly (string)[] } | { readonly name: string; readonly op: 'range'; readonly min?: number; readonly max?: number } | { readonly name: string; readonly op: 'regex'; readonly pattern: string })[]; readonly group?: { readonly id: string; readonly rule: 'affinity' | 'anti-affinity' }; readonly placement?: 'pack' | 'spread'; readonly resources?: Readonly<Record<string, number>>; readonly clusters?: { readonly names?: readonly (string)[]; readonly regions?: readonly (string)[]; readonly attributes?: readonly ({ readonly name: string; readonly op: 'eq'; readonly value: string } | { readonly name: string; readonly op: 'in'; readonly values: readonly (string)[] } | { readonly name: string; readonly op: 'range'; readonly min?: number; readonly max?: number } | { readonly name: string; readonly op: 'regex'; readonly pattern: string })[] }; readonly priority?: number; readonly preemptible?: boolean };

export type ChangeBatchBody = { readonly securityRules?: readonly ({ readonly direction: 'in' | 'out'; readonly protocol: 'any' | 'tcp' | 'udp' | 'icmp'; readonly ports?: readonly [number, number]; readonly cidr?: string; readonly action: 'accept' | 'drop' })[]; readonly labels?: Readonly<Record<string, string>>; readonly lifetimeSeconds?: number | null; readonly expiresAt?: string | null };

export type HoldBatchBody = { readonly name: string; readonly image: string; readonly count?: number; readonly vcpus?: number; readonly memoryMiB?: number; readonly flavor?: string; readonly totalVcpus?: number; readonly shapes?: readonly ({ readonly vcpus: number; readonly memoryMiB: number })[]; readonly flavors?: readonly (string)[]; readonly diskGiB?: number; readonly sshPublicKeys?: readonly (string)[]; readonly userData?: string; readonly labels?: Readonly<Record<string, string>>; readonly hardware?: { readonly firmware?: 'bios' | 'uefi' | 'uefi-secure'; readonly os?: 'linux' | 'windows'; readonly devices?: 'virtio' | 'emulated'; readonly tpm?: boolean; readonly cpu?: { readonly model?: string; readonly pinned?: boolean; readonly numaNodes?: number; readonly hugepages?: '2M' | '1G' }; readonly gpus?: number; readonly gpuModel?: string }; readonly autostart?: boolean; readonly fill?: 'all' | 'bestEffort' | { readonly atLeast: number }; readonly deadlineSeconds?: number; readonly lifetimeSeconds?: number; readonly expiresAt?: string; readonly network?: { readonly subnet: string; readonly ipAddress?: string }; readonly nics?: readonly ({ readonly subnet: string; readonly ipAddress?: string })[]; readonly securityRules?: readonly ({ readonly direction: 'in' | 'out'; readonly protocol: 'any' | 'tcp' | 'udp' | 'icmp'; readonly ports?: readonly [number, number]; readonly cidr?: string; readonly action: 'accept' | 'drop' })[]; readonly volumes?: readonly ({ readonly volume: string; readonly path?: string; readonly readOnly?: boolean })[]; readonly externalAddress?: boolean; readonly requirements?: readonly ({ readonly name: string; readonly op: 'eq'; readonly value: string } | { readonly name: string; readonly op: 'in'; readonly values: readonly (string)[] } | { readonly name: string; readonly op: 'range'; readonly min?: number; readonly max?: number } | { readonly name: string; readonly op: 'regex'; readonly pattern: string })[]; readonly group?: { readonly id: string; readonly rule: 'affinity' | 'anti-affinity' }; readonly placement?: 'pack' | 'spread'; readonly resources?: Readonly<Record<string, number>>; readonly clusters?: { readonly names?: readonly (string)[]; readonly regions?: readonly (string)[]; readonly attributes?: readonly ({ readonly name: string; readonly op: 'eq'; readonly value: string } | { readonly name: string; readonly op: 'in'; readonly values: readonly (string)[] } | { readonly name: string; readonly op: 'range'; readonly min?: number; readonly max?: number } | { readonly name: string; readonly op: 'regex'; readonly pattern: string })[] }; readonly priority?: number; readonly preemptible?: boolean; readonly holdSeconds?: number };

export type ChangeVmBody = { readonly securityRules?: readonly ({ readonly direction: 'in' | 'out'; readonly protocol: 'any' | 'tcp' | 'udp' | 'icmp'; readonly ports?: readonly [number, number]; readonly cidr?: string; readonly action: 'accept' | 'drop' })[] | null; readonly externalAddress?: boolean };

export type StartVmsBody = { readonly ids?: readonly (string)[]; readonly filter?: { readonly batchId?: string; readonly state?: 'pending' | 'scheduled' | 'launching' | 'preparing' | 'starting' | 'running' | 'stopping' | 'stopped' | 'rebooting' | 'suspending' | 'suspended' | 'resuming' | 'resizing' | 'rebuilding' | 'reverting' | 'deleting' | 'deleted' | 'failed' | 'unreachable'; readonly labels?: Readonly<Record<string, string>> } };

export type CreateSubnetBody = { readonly name: string; readonly cidr: string; readonly egress?: 'none' | 'nat'; readonly dnsDomain?: string; readonly securityRules?: readonly ({ readonly direction: 'in' | 'out'; readonly protocol: 'any' | 'tcp' | 'udp' | 'icmp'; readonly ports?: readonly [number, number]; readonly cidr?: string; readonly action: 'accept' | 'drop' })[] };

export type ChangeSubnetBody = { readonly name?: string; readonly egress?: 'none' | 'nat'; readonly securityRules?: readonly ({ readonly direction: 'in' | 'out'; readonly protocol: 'any' | 'tcp' | 'udp' | 'icmp'; readonly ports?: readonly [number, number]; readonly cidr?: string; readonly action: 'accept' | 'drop' })[] };

export type CreateImageBody = { readonly name: string; readonly visibility?: 'private' | 'public'; readonly os?: 'linux' | 'windows' | 'other'; readonly firmware?: 'bios' | 'uefi'; readonly drivers?: 'virtio' | 'emulated'; readonly minMemoryMiB?: number; readonly minDiskGiB?: number; readonly format?: 'qcow2' | 'raw'; readonly readyMarker?: string; readonly sizeBytes?: number; readonly sha256?: string; readonly source?: { readonly url: string; readonly sha256?: string } };

export type CreateWebhookBody = { readonly name: string; readonly url: string; readonly types?: readonly ('batch.accepted' | 'batch.planned' | 'batch.stateChanged' | 'batch.closed' | 'batch.expiring' | 'vm.created' | 'vm.moved' | 'vm.wished' | 'vm.stateChanged' | 'vm.ready' | 'vm.changed' | 'operation.started' | 'operation.ended' | 'volume.created' | 'volume.stateChanged' | 'volume.removed' | 'subnet.created' | 'subnet.removed' | 'image.created' | 'image.stateChanged' | 'image.removed' | 'key.created' | 'key.revoked' | 'cluster.silent' | 'cluster.back' | 'webhook.test')[] };

export type ChangeWebhookBody = { readonly url?: string; readonly types?: readonly ('batch.accepted' | 'batch.planned' | 'batch.stateChanged' | 'batch.closed' | 'batch.expiring' | 'vm.created' | 'vm.moved' | 'vm.wished' | 'vm.stateChanged' | 'vm.ready' | 'vm.changed' | 'operation.started' | 'operation.ended' | 'volume.created' | 'volume.stateChanged' | 'volume.removed' | 'subnet.created' | 'subnet.removed' | 'image.created' | 'image.stateChanged' | 'image.removed' | 'key.created' | 'key.revoked' | 'cluster.silent' | 'cluster.back' | 'webhook.test')[]; readonly state?: 'active' | 'disabled' };

export type ChangeClusterBody = { readonly caps?: { readonly vms?: number; readonly vcpus?: number; readonly memoryMiB?: number }; readonly region?: string; readonly attributes?: Readonly<Record<string, string>> };

export type CreateEnrolmentTokenBody = { readonly clusterName: string; readonly ownerOrganisationId?: string; readonly region?: string; readonly attributes?: Readonly<Record<string, string>>; readonly caps?: { readonly vms?: number; readonly vcpus?: number; readonly memoryMiB?: number }; readonly expiresInSeconds?: number };

export type SetProjectQuotaBody = { readonly vms?: number; readonly vcpus?: number; readonly memoryMiB?: number; readonly diskGiB?: number; readonly images?: number; readonly volumes?: number; readonly volumeGiB?: number; readonly subnets?: number };

export type CreateApiKeyBody = { readonly name: string; readonly role: 'admin' | 'operator' | 'member' | 'viewer' | 'partner'; readonly scope?: 'project' | 'organisation'; readonly projectId?: string; readonly expiresAt?: string; readonly allowsUcloud?: boolean };

export type CreateUserBody = { readonly email: string; readonly name: string; readonly memberships: readonly ({ readonly organisationId?: string; readonly projectId?: string | null; readonly role: 'admin' | 'operator' | 'member' | 'viewer' | 'partner' })[]; readonly password?: string; readonly organisationId?: string };

export type ChangeUserBody = { readonly name?: string; readonly state?: 'active' | 'disabled'; readonly memberships?: readonly ({ readonly organisationId?: string; readonly projectId?: string | null; readonly role: 'admin' | 'operator' | 'member' | 'viewer' | 'partner' })[] };

export type CreateBatchAnswer = { readonly id: BatchId; readonly name: string; readonly projectId: ProjectId; readonly state: 'accepted' | 'planning' | 'active' | 'failed' | 'deleting' | 'deleted'; readonly image: string; readonly count: number; readonly totalVcpus: number | null; readonly vmCounts: Readonly<Record<string, number>>; readonly readyCount: number; readonly settled: boolean; readonly preemptedCount?: number; readonly pendingReason: string | null; readonly securityRules?: ({ readonly direction: 'in' | 'out'; readonly protocol: 'any' | 'tcp' | 'udp' | 'icmp'; readonly ports?: [number, number]; readonly cidr?: string; readonly action: 'accept' | 'drop' })[]; readonly labels: Readonly<Record<string, string>>; readonly fill?: 'all' | 'bestEffort' | { readonly atLeast: number }; readonly deadlineAt?: string | null; readonly expiresAt?: string | null; readonly failure?: string | null; readonly createdAt: string };

export type PlanBatchAnswer = { readonly fits: boolean; readonly clusters: ({ readonly id: ClusterId; readonly name: string; readonly machines: ({ readonly shape: { readonly vcpus: number; readonly memoryMiB: number }; readonly count: number })[]; readonly vcpus: number })[]; readonly unplaced: number; readonly reason: string | null; readonly quota: { readonly asked: { readonly vms?: number; readonly vcpus?: number; readonly memoryMiB?: number; readonly diskGiB?: number; readonly images?: number; readonly volumes?: number; readonly volumeGiB?: number; readonly subnets?: number }; readonly exceeded: null | { readonly scope: string; readonly limit: string; readonly used: number; readonly asked: number; readonly max: number } }; readonly estimatedSeconds: number | null };

export type GetBatchReportAnswer = { readonly batchId: BatchId; readonly name: string; readonly final: boolean; readonly acceptedAt: string; readonly at: string; readonly failure: string | null; readonly asked: { readonly machines: number; readonly vcpus: number }; readonly made: { readonly machines: number; readonly vcpus: number }; readonly failed: { readonly machines: number; readonly vcpus: number }; readonly withdrawn: { readonly machines: number; readonly vcpus: number }; readonly unplaced: { readonly machines: number; readonly vcpus: number }; readonly reasons: ({ readonly reason: string; readonly machines: number })[]; readonly clusters: ({ readonly id: ClusterId; readonly name: string; readonly made: number; readonly failed: number; readonly withdrawn: number; readonly unplaced: number })[]; readonly seconds: { readonly first: number; readonly median: number; readonly p95: number; readonly last: number } | null };

export type ListVmsItem = { readonly id: VmId; readonly name: string; readonly projectId: ProjectId; readonly batchId: BatchId; readonly batchName: string; readonly clusterId: ClusterId | null; readonly hostName: string | null; readonly image: string; readonly vcpus: number; readonly memoryMiB: number; readonly diskGiB: number; readonly ipAddress: string | null; readonly macAddress: string | null; readonly externalAddress?: string | null; readonly subnetId?: SubnetId; readonly nics?: ({ readonly subnetId: SubnetId; readonly ipAddress: string; readonly macAddress: string })[]; readonly volumes?: ({ readonly name: string; readonly kind: 'directory' | 'block'; readonly readOnly: boolean; readonly path?: string })[]; readonly securityRules?: ({ readonly direction: 'in' | 'out'; readonly protocol: 'any' | 'tcp' | 'udp' | 'icmp'; readonly ports?: [number, number]; readonly cidr?: string; readonly action: 'accept' | 'drop' })[] | null; readonly desiredState: 'running' | 'stopped' | 'suspended' | 'deleted'; readonly generation: number; readonly appliedGeneration: number; readonly state: 'pending' | 'scheduled' | 'launching' | 'preparing' | 'starting' | 'running' | 'stopping' | 'stopped' | 'rebooting' | 'suspending' | 'suspended' | 'resuming' | 'resizing' | 'rebuilding' | 'reverting' | 'deleting' | 'deleted' | 'failed' | 'unreachable'; readonly guestReady: boolean; readonly guest?: { readonly hostName: string | null; readonly os: { readonly id: string; readonly name: string | null; readonly version: string | null; readonly kernel: string | null } | null; readonly addresses: ({ readonly interface: string; readonly ipAddress: string })[] } | null; readonly reason: 'NO_CAPACITY' | 'IMAGE_MISSING' | 'IMAGE_CORRUPT' | 'DISK_FULL' | 'STORAGE_UNAVAILABLE' | 'NETWORK_ERROR' | 'HYPERVISOR_ERROR' | 'HYPERVISOR_UNAVAILABLE' | 'GUEST_POWERED_OFF' | 'GUEST_CRASHED' | 'KILLED_FROM_OUTSIDE' | 'FORCED_OFF' | 'EXECUTOR_LOST' | 'AGENT_LOST' | 'LAUNCH_REFUSED' | 'COMMAND_REFUSED' | 'DEADLINE_EXCEEDED' | 'STOPPED_BY_USER' | 'ADOPTED' | 'IO_ERROR' | 'STORAGE_READONLY' | 'VOLUME_LOCKED' | 'GUEST_AGENT_AWAY' | 'ORPHANED' | 'QUARANTINED' | 'RECORD_UNREADABLE' | 'IMAGE_REFUSED' | 'SUBNET_UNAVAILABLE' | 'PAUSED_FROM_OUTSIDE' | 'CANNOT_SUSPEND' | 'MEMORY_LOST' | 'HOST_RESTARTED' | 'GPU_UNAVAILABLE' | 'CPUS_UNAVAILABLE' | 'HUGEPAGES_UNAVAILABLE' | 'CPU_MODEL_UNAVAILABLE' | 'WITHDRAWN' | 'PREEMPTED' | 'CANCELLED' | 'CANNOT_ATTACH' | 'VOLUME_BUSY' | 'CLUSTER_SILENT' | null; readonly message: string | null; readonly stateSince: string; readonly timeline: { readonly accepted?: number; readonly planned?: number; readonly offered?: number; readonly launched?: number; readonly taken?: number; readonly image?: number; readonly defined?: number; readonly started?: number; readonly seen?: number; readonly ready?: number }; readonly createdAt: string };

export type RebootVmAnswer = { readonly id: OperationId; readonly vmId: VmId; readonly kind: 'start' | 'stop' | 'suspend' | 'resume' | 'reboot' | 'reset' | 'readLog' | 'console' | 'screenshot' | 'setPassword' | 'addSshKey' | 'snapshot' | 'revert' | 'deleteSnapshot' | 'listSnapshots' | 'makeImage' | 'metricsHistory' | 'cancel'; readonly state: 'running' | 'succeeded' | 'failed'; readonly progress: { readonly stage: string; readonly percent: number | null } | null; readonly reason: 'NO_CAPACITY' | 'IMAGE_MISSING' | 'IMAGE_CORRUPT' | 'DISK_FULL' | 'STORAGE_UNAVAILABLE' | 'NETWORK_ERROR' | 'HYPERVISOR_ERROR' | 'HYPERVISOR_UNAVAILABLE' | 'GUEST_POWERED_OFF' | 'GUEST_CRASHED' | 'KILLED_FROM_OUTSIDE' | 'FORCED_OFF' | 'EXECUTOR_LOST' | 'AGENT_LOST' | 'LAUNCH_REFUSED' | 'COMMAND_REFUSED' | 'DEADLINE_EXCEEDED' | 'STOPPED_BY_USER' | 'ADOPTED' | 'IO_ERROR' | 'STORAGE_READONLY' | 'VOLUME_LOCKED' | 'GUEST_AGENT_AWAY' | 'ORPHANED' | 'QUARANTINED' | 'RECORD_UNREADABLE' | 'IMAGE_REFUSED' | 'SUBNET_UNAVAILABLE' | 'PAUSED_FROM_OUTSIDE' | 'CANNOT_SUSPEND' | 'MEMORY_LOST' | 'HOST_RESTARTED' | 'GPU_UNAVAILABLE' | 'CPUS_UNAVAILABLE' | 'HUGEPAGES_UNAVAILABLE' | 'CPU_MODEL_UNAVAILABLE' | 'WITHDRAWN' | 'PREEMPTED' | 'CANCELLED' | 'CANNOT_ATTACH' | 'VOLUME_BUSY' | 'CLUSTER_SILENT' | null; readonly message: string; readonly data: { readonly kind: 'screenshot'; readonly png: string; readonly widthPx: number; readonly heightPx: number } | { readonly kind: 'snapshot'; readonly isQuiesced: boolean } | { readonly kind: 'listSnapshots'; readonly snapshots: ({ readonly name: string; readonly createdAtMs: number })[] } | { readonly kind: 'metricsHistory'; readonly samples: ({ readonly atMs: number; readonly cpuPercent: number; readonly memoryMiB: number; readonly residentMiB: number; readonly diskReadBytes: number; readonly diskWriteBytes: number; readonly diskReads: number; readonly diskWrites: number; readonly netReceivedBytes: number; readonly netSentBytes: number; readonly netReceivedPackets: number; readonly netSentPackets: number })[] } | { readonly kind: 'makeImage'; readonly name: string; readonly version: string; readonly sizeBytes: number; readonly isQuiesced: boolean } | null; readonly createdAt: string; readonly finishedAt: string | null };

export type ListMetricsItem = { readonly vmId: VmId; readonly latest: { readonly atMs: number; readonly cpuPercent: number; readonly memoryMiB: number; readonly residentMiB: number; readonly diskReadBytes: number; readonly diskWriteBytes: number; readonly diskReads: number; readonly diskWrites: number; readonly netReceivedBytes: number; readonly netSentBytes: number; readonly netReceivedPackets: number; readonly netSentPackets: number } | null };

export type GetVmMetricsHistoryAnswer = { readonly vmId: VmId; readonly samples: ({ readonly atMs: number; readonly cpuPercent: number; readonly memoryMiB: number; readonly residentMiB: number; readonly diskReadBytes: number; readonly diskWriteBytes: number; readonly diskReads: number; readonly diskWrites: number; readonly netReceivedBytes: number; readonly netSentBytes: number; readonly netReceivedPackets: number; readonly netSentPackets: number })[] };

export type GetOperationAnswer = RebootVmAnswer | { readonly id: OperationId; readonly batchId: BatchId | null; readonly kind: 'start' | 'stop' | 'suspend' | 'resume' | 'reboot' | 'reset' | 'readLog' | 'console' | 'screenshot' | 'setPassword' | 'addSshKey' | 'snapshot' | 'revert' | 'deleteSnapshot' | 'listSnapshots' | 'makeImage' | 'metricsHistory' | 'cancel'; readonly state: 'running' | 'done'; readonly counts: { readonly running: number; readonly succeeded: number; readonly failed: number }; readonly createdAt: string };

export type StartBatchAnswer = { readonly id: OperationId; readonly batchId: BatchId | null; readonly kind: 'start' | 'stop' | 'suspend' | 'resume' | 'reboot' | 'reset' | 'readLog' | 'console' | 'screenshot' | 'setPassword' | 'addSshKey' | 'snapshot' | 'revert' | 'deleteSnapshot' | 'listSnapshots' | 'makeImage' | 'metricsHistory' | 'cancel'; readonly state: 'running' | 'done'; readonly counts: { readonly running: number; readonly succeeded: number; readonly failed: number }; readonly createdAt: string };

export type ListOrphansItem = { readonly vmId: VmId; readonly hasDomain: boolean; readonly hasFiles: boolean; readonly hasCards?: boolean; readonly agentId: string; readonly hostName: string; readonly cluster: string; readonly vm: null | { readonly name: string; readonly state: 'pending' | 'scheduled' | 'launching' | 'preparing' | 'starting' | 'running' | 'stopping' | 'stopped' | 'rebooting' | 'suspending' | 'suspended' | 'resuming' | 'resizing' | 'rebuilding' | 'reverting' | 'deleting' | 'deleted' | 'failed' | 'unreachable'; readonly hostName: string | null } };

export type AuditInvariantsAnswer = { readonly checkedAt: string; readonly clean: boolean; readonly checked: { readonly vms: number; readonly addresses: number; readonly batches: number; readonly clusters: number }; readonly rules: ({ readonly name: string; readonly says: string; readonly breaches: number })[]; readonly breaches: ({ readonly rule: string; readonly what: string })[] };

export type CreateSubnetAnswer = { readonly id: SubnetId; readonly name: string; readonly projectId: ProjectId; readonly cidr: string; readonly gatewayAddress: string; readonly egress: 'none' | 'nat'; readonly dnsDomain: string; readonly securityRules: ({ readonly direction: 'in' | 'out'; readonly protocol: 'any' | 'tcp' | 'udp' | 'icmp'; readonly ports?: [number, number]; readonly cidr?: string; readonly action: 'accept' | 'drop' })[]; readonly vni: number; readonly addressCount: number; readonly usedAddressCount: number; readonly createdAt: string };

export type ListImagesAnswer = { readonly items: ({ readonly name: string; readonly origin: 'project' | 'cluster'; readonly version: string | null; readonly versions: number; readonly clusters: (string)[] })[] };

export type CreateImageAnswer = { readonly id: ImageId; readonly name: string; readonly visibility: 'private' | 'public'; readonly state: 'uploading' | 'downloading' | 'verifying' | 'ready' | 'failed' | 'deleting'; readonly stateSince: string; readonly deadline: string | null; readonly message: string | null; readonly os: 'linux' | 'windows' | 'other'; readonly firmware: 'bios' | 'uefi'; readonly drivers: 'virtio' | 'emulated'; readonly minMemoryMiB: number; readonly minDiskGiB: number; readonly version: string | null; readonly format: 'qcow2' | 'raw' | null; readonly sizeBytes: number; readonly totalBytes: number | null; readonly virtualSizeBytes: number | null; readonly createdAt: string; readonly madeOf: VmId | null; readonly clusters: ({ readonly cluster: string; readonly state: 'importing' | 'ready' | 'failed'; readonly percent: number; readonly message: string | null; readonly hosts: ({ readonly hostName: string; readonly percent: number })[] })[] };

export type GetImageAnswer = { readonly name: string; readonly origin: 'project' | 'cluster'; readonly versions: (CreateImageAnswer)[]; readonly places: ({ readonly version: string; readonly cluster: string; readonly state: 'importing' | 'ready' | 'failed'; readonly percent: number; readonly message: string | null; readonly hosts: ({ readonly hostName: string; readonly percent: number })[] })[] };

export type CreateVolumeAnswer = { readonly id: VolumeId; readonly name: string; readonly projectId: ProjectId; readonly kind: 'directory' | 'block'; readonly sizeGiB: number; readonly cluster: string; readonly state: 'available' | 'deleting' | 'deleted'; readonly machines: number; readonly usedBytes: number | null; readonly createdAt: string };

export type ListEventsAnswer = { readonly items: ({ readonly number: number; readonly at: string; readonly type: 'batch.accepted' | 'batch.planned' | 'batch.stateChanged' | 'batch.closed' | 'batch.expiring' | 'vm.created' | 'vm.moved' | 'vm.wished' | 'vm.stateChanged' | 'vm.ready' | 'vm.changed' | 'operation.started' | 'operation.ended' | 'volume.created' | 'volume.stateChanged' | 'volume.removed' | 'subnet.created' | 'subnet.removed' | 'image.created' | 'image.stateChanged' | 'image.removed' | 'key.created' | 'key.revoked' | 'cluster.silent' | 'cluster.back' | 'webhook.test'; readonly subject: string; readonly data: Readonly<Record<string, unknown>> })[]; readonly next: number; readonly newest: number };

export type CreateWebhookAnswer = { readonly id: string; readonly projectId: ProjectId; readonly name: string; readonly url: string; readonly types: ('batch.accepted' | 'batch.planned' | 'batch.stateChanged' | 'batch.closed' | 'batch.expiring' | 'vm.created' | 'vm.moved' | 'vm.wished' | 'vm.stateChanged' | 'vm.ready' | 'vm.changed' | 'operation.started' | 'operation.ended' | 'volume.created' | 'volume.stateChanged' | 'volume.removed' | 'subnet.created' | 'subnet.removed' | 'image.created' | 'image.stateChanged' | 'image.removed' | 'key.created' | 'key.revoked' | 'cluster.silent' | 'cluster.back' | 'webhook.test')[]; readonly state: 'active' | 'disabled'; readonly reason: string | null; readonly delivered: number; readonly failingSince: string | null; readonly nextAttemptAt: string | null; readonly createdAt: string; readonly secret: string };

export type ListWebhooksItem = { readonly id: string; readonly projectId: ProjectId; readonly name: string; readonly url: string; readonly types: ('batch.accepted' | 'batch.planned' | 'batch.stateChanged' | 'batch.closed' | 'batch.expiring' | 'vm.created' | 'vm.moved' | 'vm.wished' | 'vm.stateChanged' | 'vm.ready' | 'vm.changed' | 'operation.started' | 'operation.ended' | 'volume.created' | 'volume.stateChanged' | 'volume.removed' | 'subnet.created' | 'subnet.removed' | 'image.created' | 'image.stateChanged' | 'image.removed' | 'key.created' | 'key.revoked' | 'cluster.silent' | 'cluster.back' | 'webhook.test')[]; readonly state: 'active' | 'disabled'; readonly reason: string | null; readonly delivered: number; readonly failingSince: string | null; readonly nextAttemptAt: string | null; readonly createdAt: string };

export type ListWebhookDeliveriesItem = { readonly number: number; readonly at: string; readonly firstEvent: number; readonly lastEvent: number; readonly events: number; readonly status: number | null; readonly error: string | null; readonly durationMs: number };

export type ListAuditItem = { readonly number: number; readonly at: string; readonly organisationId: string; readonly projectId: ProjectId; readonly actor: string; readonly role: string; readonly operation: string; readonly subjects: Readonly<Record<string, string>>; readonly status: number; readonly code: string | null; readonly requestId: string; readonly address: string };

export type ListClusterPoliciesItem = { readonly id: string; readonly cluster: string; readonly kind: 'allowed' | 'preferred' | 'dedicated'; readonly organisationId: string | null; readonly projectId: ProjectId | null; readonly createdAt: string };

export type GetUsageAnswer = { readonly from: string; readonly to: string; readonly items: ({ readonly from?: string; readonly projectId?: ProjectId; readonly clusterId?: ClusterId; readonly cluster?: string; readonly machineHours: number; readonly coreHours: number; readonly memoryGiBHours: number; readonly diskGiBHours: number })[] };

export type ListClustersItem = { readonly id: ClusterId; readonly name: string; readonly state: 'joining' | 'active' | 'draining' | 'withdrawn' | 'revoked'; readonly region: string; readonly attributes: Readonly<Record<string, string>>; readonly connected: boolean; readonly enrolledAt: string; readonly lastSeenAt: string | null; readonly capacity: null | { readonly observedAt: string; readonly hosts: number; readonly activeHosts: number; readonly totalVcpus: number; readonly totalMemoryMiB: number; readonly freeVcpus: number; readonly freeMemoryMiB: number; readonly promisedVcpus: number; readonly promisedMemoryMiB: number; readonly images: (string)[] }; readonly management: { readonly ownerOrganisationId: string | null; readonly stateSince: string; readonly noticeUntil: string | null; readonly caps: { readonly vms?: number; readonly vcpus?: number; readonly memoryMiB?: number }; readonly given: { readonly vms: number; readonly vcpus: number; readonly memoryMiB: number } } | null };

export type ListClusterHostsItem = { readonly hostName: string; readonly active: boolean; readonly totalVcpus: number; readonly totalMemoryMiB: number; readonly freeVcpus: number; readonly freeMemoryMiB: number };

export type GetClusterConformanceAnswer = { readonly passed: boolean; readonly at: string; readonly checks: ({ readonly name: 'hosts' | 'scheduler' | 'storage' | 'clockSkew' | 'virtualisation' | 'libvirt' | 'overlayMtu'; readonly outcome: 'passed' | 'failed' | 'skipped'; readonly detail: string })[] };

export type CreateEnrolmentTokenAnswer = { readonly id: string; readonly clusterName: string; readonly ownerOrganisationId: string | null; readonly region: string; readonly attributes: Readonly<Record<string, string>>; readonly caps: { readonly vms?: number; readonly vcpus?: number; readonly memoryMiB?: number }; readonly state: 'open' | 'used' | 'expired' | 'revoked'; readonly createdAt: string; readonly expiresAt: string; readonly token: string };

export type ListEnrolmentTokensItem = { readonly id: string; readonly clusterName: string; readonly ownerOrganisationId: string | null; readonly region: string; readonly attributes: Readonly<Record<string, string>>; readonly caps: { readonly vms?: number; readonly vcpus?: number; readonly memoryMiB?: number }; readonly state: 'open' | 'used' | 'expired' | 'revoked'; readonly createdAt: string; readonly expiresAt: string };

export type GetQuotaAnswer = { readonly project: { readonly id: ProjectId; readonly limits: { readonly vms?: number; readonly vcpus?: number; readonly memoryMiB?: number; readonly diskGiB?: number; readonly images?: number; readonly volumes?: number; readonly volumeGiB?: number; readonly subnets?: number }; readonly used: { readonly vms: number; readonly vcpus: number; readonly memoryMiB: number; readonly diskGiB: number; readonly images: number; readonly volumes: number; readonly volumeGiB: number; readonly subnets: number } }; readonly organisation: { readonly id: string; readonly limits: { readonly vms?: number; readonly vcpus?: number; readonly memoryMiB?: number; readonly diskGiB?: number; readonly images?: number; readonly volumes?: number; readonly volumeGiB?: number; readonly subnets?: number }; readonly used: { readonly vms: number; readonly vcpus: number; readonly memoryMiB: number; readonly diskGiB: number; readonly images: number; readonly volumes: number; readonly volumeGiB: number; readonly subnets: number } } };

export type SetOrganisationQuotaAnswer = { readonly vms?: number; readonly vcpus?: number; readonly memoryMiB?: number; readonly diskGiB?: number; readonly images?: number; readonly volumes?: number; readonly volumeGiB?: number; readonly subnets?: number };

export type ListOrganisationsAnswer = { readonly items: ({ readonly id: string; readonly name: string; readonly isPlatform: boolean; readonly createdAt: string })[]; readonly nextCursor: string | null };

export type ListProjectsAnswer = { readonly items: ({ readonly id: ProjectId; readonly organisationId: string; readonly name: string; readonly state: 'open' | 'closed'; readonly createdAt: string })[]; readonly nextCursor: string | null };

export type CreateApiKeyAnswer = { readonly id: string; readonly projectId: ProjectId; readonly name: string; readonly role: 'admin' | 'operator' | 'member' | 'viewer' | 'partner'; readonly scope: 'project' | 'organisation'; readonly state: 'active' | 'expired' | 'revoked'; readonly allowsUcloud: boolean; readonly createdAt: string; readonly createdBy: string | null; readonly expiresAt: string | null; readonly revokedAt: string | null; readonly lastUsedAt: string | null; readonly successorId: string | null; readonly secret: string };

export type ListApiKeysItem = { readonly id: string; readonly projectId: ProjectId; readonly name: string; readonly role: 'admin' | 'operator' | 'member' | 'viewer' | 'partner'; readonly scope: 'project' | 'organisation'; readonly state: 'active' | 'expired' | 'revoked'; readonly allowsUcloud: boolean; readonly createdAt: string; readonly createdBy: string | null; readonly expiresAt: string | null; readonly revokedAt: string | null; readonly lastUsedAt: string | null; readonly successorId: string | null };

export type CreateUserAnswer = { readonly id: string; readonly organisationId: string; readonly email: string; readonly name: string; readonly state: 'active' | 'disabled'; readonly memberships: ({ readonly organisationId: string; readonly projectId: ProjectId | null; readonly role: 'admin' | 'operator' | 'member' | 'viewer' | 'partner' })[]; readonly createdAt: string; readonly password: string | null };

export type ListUsersItem = { readonly id: string; readonly organisationId: string; readonly email: string; readonly name: string; readonly state: 'active' | 'disabled'; readonly memberships: ({ readonly organisationId: string; readonly projectId: ProjectId | null; readonly role: 'admin' | 'operator' | 'member' | 'viewer' | 'partner' })[]; readonly createdAt: string };

export type GetMeAnswer = { readonly actor: string; readonly organisationId: string; readonly projectId: ProjectId; readonly role: 'admin' | 'operator' | 'member' | 'viewer' | 'partner'; readonly scope: 'project' | 'organisation'; readonly isPlatform: boolean; readonly user: ListUsersItem | null; readonly projects: ({ readonly id: ProjectId; readonly name: string })[] | null };

/** What each operation takes and gives. */
export interface ApiOperations {
  readonly createBatch: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'idempotency-key'?: string };
    readonly body: CreateBatchBody;
    readonly answer: CreateBatchAnswer;
  };
  readonly listBatches: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: { readonly cursor?: string; readonly limit?: number; readonly name?: string; readonly namePrefix?: string; readonly image?: string; readonly label?: string; readonly createdAfter?: string; readonly createdBefore?: string; readonly sort?: 'createdAt' | '-createdAt' | 'name' | '-name'; readonly state?: 'accepted' | 'planning' | 'active' | 'failed' | 'deleting' | 'deleted'; readonly withDeleted?: boolean };
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: { readonly items: (CreateBatchAnswer)[]; readonly nextCursor: string | null };
  };
  readonly planBatch: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: CreateBatchBody;
    readonly answer: PlanBatchAnswer;
  };
  readonly getBatch: {
    readonly path: { readonly id: string };
    readonly query: { readonly ifChangedFrom?: string; readonly waitMs?: number };
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: CreateBatchAnswer;
  };
  readonly changeBatch: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: ChangeBatchBody;
    readonly answer: CreateBatchAnswer;
  };
  readonly deleteBatch: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: CreateBatchAnswer;
  };
  readonly getBatchReport: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: GetBatchReportAnswer;
  };
  readonly holdBatch: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: HoldBatchBody;
    readonly answer: { readonly id: string; readonly expiresAt: string; readonly plan: PlanBatchAnswer };
  };
  readonly releaseHold: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: undefined;
  };
  readonly listVms: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: { readonly cursor?: string; readonly limit?: number; readonly name?: string; readonly namePrefix?: string; readonly image?: string; readonly label?: string; readonly createdAfter?: string; readonly createdBefore?: string; readonly sort?: 'createdAt' | '-createdAt' | 'name' | '-name'; readonly batchId?: string; readonly clusterId?: string; readonly host?: string; readonly state?: 'pending' | 'scheduled' | 'launching' | 'preparing' | 'starting' | 'running' | 'stopping' | 'stopped' | 'rebooting' | 'suspending' | 'suspended' | 'resuming' | 'resizing' | 'rebuilding' | 'reverting' | 'deleting' | 'deleted' | 'failed' | 'unreachable'; readonly withDeleted?: boolean };
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: { readonly items: (ListVmsItem)[]; readonly nextCursor: string | null };
  };
  readonly getVm: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: ListVmsItem;
  };
  readonly deleteVm: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: ListVmsItem;
  };
  readonly changeVm: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: ChangeVmBody;
    readonly answer: ListVmsItem;
  };
  readonly getVmLogs: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: undefined;
  };
  readonly startVm: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: ListVmsItem;
  };
  readonly stopVm: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: ListVmsItem;
  };
  readonly suspendVm: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: ListVmsItem;
  };
  readonly resumeVm: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: ListVmsItem;
  };
  readonly resizeVm: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: { readonly vcpus?: number; readonly memoryMiB?: number; readonly diskGiB?: number };
    readonly answer: ListVmsItem;
  };
  readonly rebuildVm: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: { readonly image: string; readonly imageVersion?: string };
    readonly answer: ListVmsItem;
  };
  readonly rebootVm: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: RebootVmAnswer;
  };
  readonly resetVm: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: RebootVmAnswer;
  };
  readonly setVmPassword: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: { readonly user: string; readonly password: string };
    readonly answer: RebootVmAnswer;
  };
  readonly addVmSshKey: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: { readonly user: string; readonly publicKey: string };
    readonly answer: RebootVmAnswer;
  };
  readonly snapshotVm: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: { readonly name: string };
    readonly answer: RebootVmAnswer;
  };
  readonly revertVm: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: { readonly name: string };
    readonly answer: RebootVmAnswer;
  };
  readonly deleteVmSnapshot: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: { readonly name: string };
    readonly answer: RebootVmAnswer;
  };
  readonly makeVmImage: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: { readonly name: string };
    readonly answer: RebootVmAnswer;
  };
  readonly listVmSnapshots: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: { readonly items: ({ readonly name: string; readonly createdAt: string })[] };
  };
  readonly getVmScreenshot: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: undefined;
  };
  readonly openConsole: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: { readonly kind: 'serial' | 'vnc' };
    readonly answer: { readonly vmId: VmId; readonly kind: 'serial' | 'vnc'; readonly ticket: string; readonly path: string; readonly expiresAt: string };
  };
  readonly listMetrics: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: { readonly cursor?: string; readonly limit?: number; readonly batchId?: string };
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: { readonly items: (ListMetricsItem)[]; readonly nextCursor: string | null };
  };
  readonly getVmMetricsHistory: {
    readonly path: { readonly id: string };
    readonly query: { readonly sinceMs?: number };
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: GetVmMetricsHistoryAnswer;
  };
  readonly getVmMetrics: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: ListMetricsItem;
  };
  readonly getOperation: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: GetOperationAnswer;
  };
  readonly cancelOperation: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: GetOperationAnswer;
  };
  readonly listOperationResults: {
    readonly path: { readonly id: string };
    readonly query: { readonly cursor?: string; readonly limit?: number; readonly state?: 'running' | 'succeeded' | 'failed' };
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: { readonly items: (RebootVmAnswer)[]; readonly nextCursor: string | null };
  };
  readonly startBatch: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'idempotency-key'?: string; readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: StartBatchAnswer;
  };
  readonly stopBatch: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'idempotency-key'?: string; readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: StartBatchAnswer;
  };
  readonly suspendBatch: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'idempotency-key'?: string; readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: StartBatchAnswer;
  };
  readonly resumeBatch: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'idempotency-key'?: string; readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: StartBatchAnswer;
  };
  readonly rebootBatch: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'idempotency-key'?: string; readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: StartBatchAnswer;
  };
  readonly resetBatch: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'idempotency-key'?: string; readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: StartBatchAnswer;
  };
  readonly snapshotBatch: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'idempotency-key'?: string; readonly 'if-match'?: string };
    readonly body: { readonly name: string };
    readonly answer: StartBatchAnswer;
  };
  readonly revertBatch: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'idempotency-key'?: string; readonly 'if-match'?: string };
    readonly body: { readonly name: string };
    readonly answer: StartBatchAnswer;
  };
  readonly deleteBatchSnapshot: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'idempotency-key'?: string; readonly 'if-match'?: string };
    readonly body: { readonly name: string };
    readonly answer: StartBatchAnswer;
  };
  readonly setBatchPassword: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'idempotency-key'?: string; readonly 'if-match'?: string };
    readonly body: { readonly user: string; readonly password: string };
    readonly answer: StartBatchAnswer;
  };
  readonly addBatchSshKey: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'idempotency-key'?: string; readonly 'if-match'?: string };
    readonly body: { readonly user: string; readonly publicKey: string };
    readonly answer: StartBatchAnswer;
  };
  readonly startVms: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'idempotency-key'?: string; readonly 'if-match'?: string };
    readonly body: StartVmsBody;
    readonly answer: StartBatchAnswer;
  };
  readonly stopVms: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'idempotency-key'?: string; readonly 'if-match'?: string };
    readonly body: StartVmsBody;
    readonly answer: StartBatchAnswer;
  };
  readonly suspendVms: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'idempotency-key'?: string; readonly 'if-match'?: string };
    readonly body: StartVmsBody;
    readonly answer: StartBatchAnswer;
  };
  readonly resumeVms: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'idempotency-key'?: string; readonly 'if-match'?: string };
    readonly body: StartVmsBody;
    readonly answer: StartBatchAnswer;
  };
  readonly rebootVms: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'idempotency-key'?: string; readonly 'if-match'?: string };
    readonly body: StartVmsBody;
    readonly answer: StartBatchAnswer;
  };
  readonly resetVms: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'idempotency-key'?: string; readonly 'if-match'?: string };
    readonly body: StartVmsBody;
    readonly answer: StartBatchAnswer;
  };
  readonly listOrphans: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: { readonly items: (ListOrphansItem)[] };
  };
  readonly adoptOrphan: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: ListOrphansItem;
  };
  readonly removeOrphan: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: ListOrphansItem;
  };
  readonly auditInvariants: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: AuditInvariantsAnswer;
  };
  readonly createSubnet: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: CreateSubnetBody;
    readonly answer: CreateSubnetAnswer;
  };
  readonly listSubnets: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: { readonly cursor?: string; readonly limit?: number; readonly name?: string };
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: { readonly items: (CreateSubnetAnswer)[]; readonly nextCursor: string | null };
  };
  readonly getSubnet: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: CreateSubnetAnswer;
  };
  readonly changeSubnet: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: ChangeSubnetBody;
    readonly answer: CreateSubnetAnswer;
  };
  readonly deleteSubnet: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: undefined;
  };
  readonly replicateImage: {
    readonly path: { readonly name: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: { readonly version?: string; readonly clusters: readonly (string)[] };
    readonly answer: { readonly name: string; readonly version: string; readonly clusters: (string)[] };
  };
  readonly stopReplicatingImage: {
    readonly path: { readonly name: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: { readonly version?: string; readonly clusters: readonly (string)[] };
    readonly answer: { readonly name: string; readonly version: string; readonly clusters: (string)[] };
  };
  readonly boundImageRate: {
    readonly path: { readonly cluster: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: { readonly imageMiBPerSecond: number | null };
    readonly answer: { readonly imageMiBPerSecond: number | null };
  };
  readonly listImages: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: ListImagesAnswer;
  };
  readonly createImage: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: CreateImageBody;
    readonly answer: CreateImageAnswer;
  };
  readonly getImage: {
    readonly path: { readonly name: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: GetImageAnswer;
  };
  readonly listImageVersions: {
    readonly path: { readonly name: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: { readonly items: (CreateImageAnswer)[] };
  };
  readonly completeImage: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: { readonly sha256?: string };
    readonly answer: CreateImageAnswer;
  };
  readonly stageImage: {
    readonly path: { readonly name: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: { readonly version?: string; readonly clusters?: readonly (string)[]; readonly hosts?: readonly (string)[] };
    readonly answer: { readonly name: string; readonly stages: ({ readonly cluster: string; readonly version: string })[] };
  };
  readonly deleteImageVersion: {
    readonly path: { readonly name: string; readonly version: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: undefined;
  };
  readonly createVolume: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: { readonly name: string & string; readonly kind: 'directory' | 'block'; readonly sizeGiB: number; readonly cluster?: string };
    readonly answer: CreateVolumeAnswer;
  };
  readonly listVolumes: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: { readonly cursor?: string; readonly limit?: number; readonly name?: string };
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: { readonly items: (CreateVolumeAnswer)[]; readonly nextCursor: string | null };
  };
  readonly getVolume: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: CreateVolumeAnswer;
  };
  readonly deleteVolume: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: CreateVolumeAnswer;
  };
  readonly attachVolume: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: { readonly volume: string; readonly path?: string; readonly readOnly?: boolean };
    readonly answer: ListVmsItem;
  };
  readonly detachVolume: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: { readonly volume: string };
    readonly answer: ListVmsItem;
  };
  readonly listEvents: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: { readonly after?: number; readonly limit?: number; readonly types?: string };
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: ListEventsAnswer;
  };
  readonly streamEvents: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: { readonly after?: number; readonly types?: string };
    readonly headers: { readonly 'last-event-id'?: string };
    readonly body: undefined;
    readonly answer: undefined;
  };
  readonly createWebhook: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: CreateWebhookBody;
    readonly answer: CreateWebhookAnswer;
  };
  readonly listWebhooks: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: { readonly items: (ListWebhooksItem)[] };
  };
  readonly getWebhook: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: ListWebhooksItem;
  };
  readonly changeWebhook: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: ChangeWebhookBody;
    readonly answer: ListWebhooksItem;
  };
  readonly deleteWebhook: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: undefined;
  };
  readonly testWebhook: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: { readonly status: number | null; readonly error: string | null; readonly durationMs: number };
  };
  readonly rotateWebhookSecret: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: CreateWebhookAnswer;
  };
  readonly listWebhookDeliveries: {
    readonly path: { readonly id: string };
    readonly query: { readonly before?: number; readonly limit?: number };
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: { readonly items: (ListWebhookDeliveriesItem)[] };
  };
  readonly listAudit: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: { readonly cursor?: string; readonly limit?: number; readonly actor?: string; readonly operation?: string };
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: { readonly items: (ListAuditItem)[]; readonly nextCursor: string | null };
  };
  readonly listPlatformAudit: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: { readonly cursor?: string; readonly limit?: number; readonly actor?: string; readonly operation?: string };
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: { readonly items: (ListAuditItem)[]; readonly nextCursor: string | null };
  };
  readonly listClusterPolicies: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: { readonly items: (ListClusterPoliciesItem)[] };
  };
  readonly putClusterPolicy: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: { readonly cluster: string; readonly kind: 'allowed' | 'preferred' | 'dedicated'; readonly organisationId?: string; readonly projectId?: string };
    readonly answer: ListClusterPoliciesItem;
  };
  readonly deleteClusterPolicy: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: Readonly<Record<string, unknown>>;
  };
  readonly listFairShares: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: { readonly items: ({ readonly projectId: ProjectId; readonly weight: number; readonly usedVcpus: number; readonly halfLifeMs: number })[] };
  };
  readonly setFairShare: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: { readonly weight: number };
    readonly answer: { readonly projectId: ProjectId; readonly weight: number };
  };
  readonly getUsage: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: { readonly from: string; readonly to?: string; readonly groupBy?: string; readonly format?: 'json' | 'csv'; readonly of?: 'project' | 'organisation' };
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: GetUsageAnswer;
  };
  readonly listUsageRecords: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: { readonly from: string; readonly to?: string };
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: string;
  };
  readonly getClusterUsage: {
    readonly path: { readonly cluster: string };
    readonly query: { readonly from: string; readonly to?: string; readonly groupBy?: string; readonly format?: 'json' | 'csv' };
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: GetUsageAnswer;
  };
  readonly listClusters: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: { readonly items: (ListClustersItem)[] };
  };
  readonly getCluster: {
    readonly path: { readonly cluster: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: ListClustersItem;
  };
  readonly changeCluster: {
    readonly path: { readonly cluster: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: ChangeClusterBody;
    readonly answer: ListClustersItem;
  };
  readonly listClusterHosts: {
    readonly path: { readonly cluster: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: { readonly items: (ListClusterHostsItem)[] };
  };
  readonly drainCluster: {
    readonly path: { readonly cluster: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: ListClustersItem;
  };
  readonly resumeCluster: {
    readonly path: { readonly cluster: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: ListClustersItem;
  };
  readonly acceptCluster: {
    readonly path: { readonly cluster: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: ListClustersItem;
  };
  readonly revokeCluster: {
    readonly path: { readonly cluster: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: ListClustersItem;
  };
  readonly withdrawCluster: {
    readonly path: { readonly cluster: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: { readonly noticeSeconds: number };
    readonly answer: ListClustersItem;
  };
  readonly getClusterConformance: {
    readonly path: { readonly cluster: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: GetClusterConformanceAnswer;
  };
  readonly createEnrolmentToken: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: CreateEnrolmentTokenBody;
    readonly answer: CreateEnrolmentTokenAnswer;
  };
  readonly listEnrolmentTokens: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: { readonly items: (ListEnrolmentTokensItem)[] };
  };
  readonly revokeEnrolmentToken: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: undefined;
  };
  readonly declareHostGone: {
    readonly path: { readonly cluster: string; readonly host: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: { readonly cluster: string; readonly host: string };
  };
  readonly listFlavors: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: { readonly items: ({ readonly name: string; readonly vcpus: number; readonly memoryMiB: number; readonly diskGiB: number })[] };
  };
  readonly createFlavor: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: { readonly name: string; readonly vcpus: number; readonly memoryMiB: number; readonly diskGiB: number };
    readonly answer: { readonly name: string; readonly vcpus: number; readonly memoryMiB: number; readonly diskGiB: number };
  };
  readonly deleteFlavor: {
    readonly path: { readonly name: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: undefined;
  };
  readonly getQuota: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: GetQuotaAnswer;
  };
  readonly setProjectQuota: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: SetProjectQuotaBody;
    readonly answer: GetQuotaAnswer;
  };
  readonly setOrganisationQuota: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: SetProjectQuotaBody;
    readonly answer: SetOrganisationQuotaAnswer;
  };
  readonly createOrganisation: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: { readonly name: string };
    readonly answer: { readonly id: string; readonly name: string; readonly isPlatform: boolean; readonly createdAt: string };
  };
  readonly listOrganisations: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: { readonly cursor?: string; readonly limit?: number };
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: ListOrganisationsAnswer;
  };
  readonly getOrganisation: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: { readonly id: string; readonly name: string; readonly isPlatform: boolean; readonly createdAt: string };
  };
  readonly changeOrganisation: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: { readonly name: string };
    readonly answer: { readonly id: string; readonly name: string; readonly isPlatform: boolean; readonly createdAt: string };
  };
  readonly createProject: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: { readonly name: string; readonly organisationId?: string };
    readonly answer: { readonly id: ProjectId; readonly organisationId: string; readonly name: string; readonly state: 'open' | 'closed'; readonly createdAt: string };
  };
  readonly listProjects: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: { readonly cursor?: string; readonly limit?: number; readonly name?: string; readonly organisationId?: string };
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: ListProjectsAnswer;
  };
  readonly getProject: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: { readonly id: ProjectId; readonly organisationId: string; readonly name: string; readonly state: 'open' | 'closed'; readonly createdAt: string };
  };
  readonly changeProject: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: { readonly name: string };
    readonly answer: { readonly id: ProjectId; readonly organisationId: string; readonly name: string; readonly state: 'open' | 'closed'; readonly createdAt: string };
  };
  readonly closeProject: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: undefined;
  };
  readonly createApiKey: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: CreateApiKeyBody;
    readonly answer: CreateApiKeyAnswer;
  };
  readonly listApiKeys: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: { readonly cursor?: string; readonly limit?: number; readonly projectId?: string };
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: { readonly items: (ListApiKeysItem)[]; readonly nextCursor: string | null };
  };
  readonly getApiKey: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: ListApiKeysItem;
  };
  readonly revokeApiKey: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: undefined;
  };
  readonly rotateApiKey: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: { readonly graceSeconds?: number };
    readonly answer: CreateApiKeyAnswer;
  };
  readonly createUser: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: CreateUserBody;
    readonly answer: CreateUserAnswer;
  };
  readonly listUsers: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: { readonly cursor?: string; readonly limit?: number; readonly email?: string; readonly organisationId?: string };
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: { readonly items: (ListUsersItem)[]; readonly nextCursor: string | null };
  };
  readonly getUser: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: ListUsersItem;
  };
  readonly changeUser: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: ChangeUserBody;
    readonly answer: ListUsersItem;
  };
  readonly deleteUser: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: undefined;
  };
  readonly resetUserPassword: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: { readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: CreateUserAnswer;
  };
  readonly getMe: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: GetMeAnswer;
  };
  readonly changeMyPassword: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: { readonly password: string; readonly newPassword: string };
    readonly answer: undefined;
  };
  readonly signOut: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: undefined;
  };
  readonly putImageContent: {
    readonly path: { readonly id: string };
    readonly query: { readonly offset: number };
    readonly headers: { readonly 'if-match'?: string };
    readonly body: undefined;
    readonly answer: { readonly offset: number };
  };
  readonly getImageOffset: {
    readonly path: { readonly id: string };
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: undefined;
    readonly answer: { readonly offset: number };
  };
  readonly signIn: {
    readonly path: Readonly<Record<string, never>>;
    readonly query: Readonly<Record<string, never>>;
    readonly headers: Readonly<Record<string, never>>;
    readonly body: { readonly organisation: string; readonly email: string; readonly password: string; readonly cookie?: boolean };
    readonly answer: { readonly userId: string; readonly token: string | null; readonly expiresAt: string };
  };
}

/** Where each operation is. */
export const API_ROUTES = {
  createBatch: { method: 'POST', path: '/v1/batches' },
  listBatches: { method: 'GET', path: '/v1/batches' },
  planBatch: { method: 'POST', path: '/v1/batches:plan' },
  getBatch: { method: 'GET', path: '/v1/batches/{id}' },
  changeBatch: { method: 'PATCH', path: '/v1/batches/{id}' },
  deleteBatch: { method: 'DELETE', path: '/v1/batches/{id}' },
  getBatchReport: { method: 'GET', path: '/v1/batches/{id}/report' },
  holdBatch: { method: 'POST', path: '/v1/batches:hold' },
  releaseHold: { method: 'DELETE', path: '/v1/holds/{id}' },
  listVms: { method: 'GET', path: '/v1/vms' },
  getVm: { method: 'GET', path: '/v1/vms/{id}' },
  deleteVm: { method: 'DELETE', path: '/v1/vms/{id}' },
  changeVm: { method: 'PATCH', path: '/v1/vms/{id}' },
  getVmLogs: { method: 'GET', path: '/v1/vms/{id}/logs' },
  startVm: { method: 'POST', path: '/v1/vms/{id}:start' },
  stopVm: { method: 'POST', path: '/v1/vms/{id}:stop' },
  suspendVm: { method: 'POST', path: '/v1/vms/{id}:suspend' },
  resumeVm: { method: 'POST', path: '/v1/vms/{id}:resume' },
  resizeVm: { method: 'POST', path: '/v1/vms/{id}:resize' },
  rebuildVm: { method: 'POST', path: '/v1/vms/{id}:rebuild' },
  rebootVm: { method: 'POST', path: '/v1/vms/{id}:reboot' },
  resetVm: { method: 'POST', path: '/v1/vms/{id}:reset' },
  setVmPassword: { method: 'POST', path: '/v1/vms/{id}:setPassword' },
  addVmSshKey: { method: 'POST', path: '/v1/vms/{id}:addSshKey' },
  snapshotVm: { method: 'POST', path: '/v1/vms/{id}:snapshot' },
  revertVm: { method: 'POST', path: '/v1/vms/{id}:revert' },
  deleteVmSnapshot: { method: 'POST', path: '/v1/vms/{id}:deleteSnapshot' },
  makeVmImage: { method: 'POST', path: '/v1/vms/{id}:makeImage' },
  listVmSnapshots: { method: 'GET', path: '/v1/vms/{id}/snapshots' },
  getVmScreenshot: { method: 'GET', path: '/v1/vms/{id}/screenshot' },
  openConsole: { method: 'POST', path: '/v1/vms/{id}:console' },
  listMetrics: { method: 'GET', path: '/v1/metrics' },
  getVmMetricsHistory: { method: 'GET', path: '/v1/vms/{id}/metrics/history' },
  getVmMetrics: { method: 'GET', path: '/v1/vms/{id}/metrics' },
  getOperation: { method: 'GET', path: '/v1/operations/{id}' },
  cancelOperation: { method: 'POST', path: '/v1/operations/{id}:cancel' },
  listOperationResults: { method: 'GET', path: '/v1/operations/{id}/results' },
  startBatch: { method: 'POST', path: '/v1/batches/{id}:start' },
  stopBatch: { method: 'POST', path: '/v1/batches/{id}:stop' },
  suspendBatch: { method: 'POST', path: '/v1/batches/{id}:suspend' },
  resumeBatch: { method: 'POST', path: '/v1/batches/{id}:resume' },
  rebootBatch: { method: 'POST', path: '/v1/batches/{id}:reboot' },
  resetBatch: { method: 'POST', path: '/v1/batches/{id}:reset' },
  snapshotBatch: { method: 'POST', path: '/v1/batches/{id}:snapshot' },
  revertBatch: { method: 'POST', path: '/v1/batches/{id}:revert' },
  deleteBatchSnapshot: { method: 'POST', path: '/v1/batches/{id}:deleteSnapshot' },
  setBatchPassword: { method: 'POST', path: '/v1/batches/{id}:setPassword' },
  addBatchSshKey: { method: 'POST', path: '/v1/batches/{id}:addSshKey' },
  startVms: { method: 'POST', path: '/v1/vms:start' },
  stopVms: { method: 'POST', path: '/v1/vms:stop' },
  suspendVms: { method: 'POST', path: '/v1/vms:suspend' },
  resumeVms: { method: 'POST', path: '/v1/vms:resume' },
  rebootVms: { method: 'POST', path: '/v1/vms:reboot' },
  resetVms: { method: 'POST', path: '/v1/vms:reset' },
  listOrphans: { method: 'GET', path: '/v1/orphans' },
  adoptOrphan: { method: 'POST', path: '/v1/orphans/{id}:adopt' },
  removeOrphan: { method: 'POST', path: '/v1/orphans/{id}:remove' },
  auditInvariants: { method: 'GET', path: '/v1/audit/invariants' },
  createSubnet: { method: 'POST', path: '/v1/subnets' },
  listSubnets: { method: 'GET', path: '/v1/subnets' },
  getSubnet: { method: 'GET', path: '/v1/subnets/{id}' },
  changeSubnet: { method: 'PATCH', path: '/v1/subnets/{id}' },
  deleteSubnet: { method: 'DELETE', path: '/v1/subnets/{id}' },
  replicateImage: { method: 'POST', path: '/v1/images/{name}:replicate' },
  stopReplicatingImage: { method: 'POST', path: '/v1/images/{name}:stopReplicating' },
  boundImageRate: { method: 'PUT', path: '/v1/clusters/{cluster}/image-rate' },
  listImages: { method: 'GET', path: '/v1/images' },
  createImage: { method: 'POST', path: '/v1/images' },
  getImage: { method: 'GET', path: '/v1/images/{name}' },
  listImageVersions: { method: 'GET', path: '/v1/images/{name}/versions' },
  completeImage: { method: 'POST', path: '/v1/images/{id}:complete' },
  stageImage: { method: 'POST', path: '/v1/images/{name}:stage' },
  deleteImageVersion: { method: 'DELETE', path: '/v1/images/{name}/versions/{version}' },
  createVolume: { method: 'POST', path: '/v1/volumes' },
  listVolumes: { method: 'GET', path: '/v1/volumes' },
  getVolume: { method: 'GET', path: '/v1/volumes/{id}' },
  deleteVolume: { method: 'DELETE', path: '/v1/volumes/{id}' },
  attachVolume: { method: 'POST', path: '/v1/vms/{id}:attachVolume' },
  detachVolume: { method: 'POST', path: '/v1/vms/{id}:detachVolume' },
  listEvents: { method: 'GET', path: '/v1/events' },
  streamEvents: { method: 'GET', path: '/v1/events/stream' },
  createWebhook: { method: 'POST', path: '/v1/webhooks' },
  listWebhooks: { method: 'GET', path: '/v1/webhooks' },
  getWebhook: { method: 'GET', path: '/v1/webhooks/{id}' },
  changeWebhook: { method: 'PATCH', path: '/v1/webhooks/{id}' },
  deleteWebhook: { method: 'DELETE', path: '/v1/webhooks/{id}' },
  testWebhook: { method: 'POST', path: '/v1/webhooks/{id}:test' },
  rotateWebhookSecret: { method: 'POST', path: '/v1/webhooks/{id}:rotateSecret' },
  listWebhookDeliveries: { method: 'GET', path: '/v1/webhooks/{id}/deliveries' },
  listAudit: { method: 'GET', path: '/v1/audit' },
  listPlatformAudit: { method: 'GET', path: '/v1/audit/platform' },
  listClusterPolicies: { method: 'GET', path: '/v1/cluster-policies' },
  putClusterPolicy: { method: 'POST', path: '/v1/cluster-policies' },
  deleteClusterPolicy: { method: 'DELETE', path: '/v1/cluster-policies/{id}' },
  listFairShares: { method: 'GET', path: '/v1/fair-shares' },
  setFairShare: { method: 'PUT', path: '/v1/fair-shares/{id}' },
  getUsage: { method: 'GET', path: '/v1/usage' },
  listUsageRecords: { method: 'GET', path: '/v1/usage/records' },
  getClusterUsage: { method: 'GET', path: '/v1/clusters/{cluster}/usage' },
  listClusters: { method: 'GET', path: '/v1/clusters' },
  getCluster: { method: 'GET', path: '/v1/clusters/{cluster}' },
  changeCluster: { method: 'PATCH', path: '/v1/clusters/{cluster}' },
  listClusterHosts: { method: 'GET', path: '/v1/clusters/{cluster}/hosts' },
  drainCluster: { method: 'POST', path: '/v1/clusters/{cluster}:drain' },
  resumeCluster: { method: 'POST', path: '/v1/clusters/{cluster}:resume' },
  acceptCluster: { method: 'POST', path: '/v1/clusters/{cluster}:accept' },
  revokeCluster: { method: 'POST', path: '/v1/clusters/{cluster}:revoke' },
  withdrawCluster: { method: 'POST', path: '/v1/clusters/{cluster}:withdraw' },
  getClusterConformance: { method: 'GET', path: '/v1/clusters/{cluster}/conformance' },
  createEnrolmentToken: { method: 'POST', path: '/v1/enrolment-tokens' },
  listEnrolmentTokens: { method: 'GET', path: '/v1/enrolment-tokens' },
  revokeEnrolmentToken: { method: 'DELETE', path: '/v1/enrolment-tokens/{id}' },
  declareHostGone: { method: 'POST', path: '/v1/clusters/{cluster}/hosts/{host}:declareGone' },
  listFlavors: { method: 'GET', path: '/v1/flavors' },
  createFlavor: { method: 'POST', path: '/v1/flavors' },
  deleteFlavor: { method: 'DELETE', path: '/v1/flavors/{name}' },
  getQuota: { method: 'GET', path: '/v1/quota' },
  setProjectQuota: { method: 'PUT', path: '/v1/quota/projects/{id}' },
  setOrganisationQuota: { method: 'PUT', path: '/v1/quota/organisations/{id}' },
  createOrganisation: { method: 'POST', path: '/v1/organisations' },
  listOrganisations: { method: 'GET', path: '/v1/organisations' },
  getOrganisation: { method: 'GET', path: '/v1/organisations/{id}' },
  changeOrganisation: { method: 'PATCH', path: '/v1/organisations/{id}' },
  createProject: { method: 'POST', path: '/v1/projects' },
  listProjects: { method: 'GET', path: '/v1/projects' },
  getProject: { method: 'GET', path: '/v1/projects/{id}' },
  changeProject: { method: 'PATCH', path: '/v1/projects/{id}' },
  closeProject: { method: 'DELETE', path: '/v1/projects/{id}' },
  createApiKey: { method: 'POST', path: '/v1/api-keys' },
  listApiKeys: { method: 'GET', path: '/v1/api-keys' },
  getApiKey: { method: 'GET', path: '/v1/api-keys/{id}' },
  revokeApiKey: { method: 'DELETE', path: '/v1/api-keys/{id}' },
  rotateApiKey: { method: 'POST', path: '/v1/api-keys/{id}:rotate' },
  createUser: { method: 'POST', path: '/v1/users' },
  listUsers: { method: 'GET', path: '/v1/users' },
  getUser: { method: 'GET', path: '/v1/users/{id}' },
  changeUser: { method: 'PATCH', path: '/v1/users/{id}' },
  deleteUser: { method: 'DELETE', path: '/v1/users/{id}' },
  resetUserPassword: { method: 'POST', path: '/v1/users/{id}:resetPassword' },
  getMe: { method: 'GET', path: '/v1/me' },
  changeMyPassword: { method: 'POST', path: '/v1/me/password' },
  signOut: { method: 'DELETE', path: '/v1/sessions/current' },
  putImageContent: { method: 'PUT', path: '/v1/images/{id}/content' },
  getImageOffset: { method: 'GET', path: '/v1/images/{id}/content' },
  signIn: { method: 'POST', path: '/v1/sessions' },
} as const;
