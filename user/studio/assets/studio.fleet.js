/*
 * The targets and the requests as the page wants them, made of what this studio has: hosts and services
 * come from its list of hosts, and what a request reaches is told before it is sent.
 */
import { get, post } from "./studio.call.js";

let known = []; /* the latest list of hosts */

const iso = ms => new Date(ms).toISOString();
const STATUS = { profiling: "active", waiting: "pending" };

function hostRow(host) {
	return { id: JSON.stringify([host.hostname, host.service]), hostname: host.hostname, serviceName: host.service,
		ipAddress: host.address, agentVersion: host.agent_version, hostCount: 1, heartbeatTimestamp: iso(host.last_seen_ms),
		commandType: host.command ? host.command.type : "N/A", profilingStatus: STATUS[host.state] || "stopped",
		profilingMode: host.continuous ? "Continuous" : "Ad Hoc" };
}

function serviceRows(hosts) {
	const services = new Map();
	for (const host of hosts) {
		const row = services.get(host.serviceName) || { ...host, id: host.serviceName, hostCount: 0 };
		row.hostCount++;
		if (row.heartbeatTimestamp < host.heartbeatTimestamp)
			row.heartbeatTimestamp = host.heartbeatTimestamp;
		if (host.profilingStatus === "active")
			row.profilingStatus = "active";
		services.set(row.serviceName, row);
	}
	return [...services.values()];
}

const FIELDS = { hostname: "hostname", service_name: "serviceName", ip_address: "ipAddress", profiling_status: "profilingStatus" };
const has = (row, [name, words]) => words.some(word => (row[FIELDS[name]] || "").toLowerCase().includes(word.toLowerCase()));
const byName = (a, b) => a.serviceName.localeCompare(b.serviceName) || a.hostname.localeCompare(b.hostname);

/* A page of rows of a scope; filters: { name: [texts] }. */
export async function workloads(scope, limit, offset, filters) {
	known = (await get("/api/studio/hosts")).hosts;
	const hosts = known.map(hostRow).filter(row => Object.entries(filters).every(filter => has(row, filter)));
	const scopes = { host: hosts.sort(byName), service: serviceRows(hosts) };
	const rows = scopes[scope] || [];
	return { rows: rows.slice(offset, offset + limit), totalCount: rows.length,
		tabCounts: { host: scopes.host.length, service: scopes.service.length } };
}

function withHosts({ target_scope: scope, target_entities: entities, ...request }) {
	if (scope !== "service")
		return request;
	const hosts = known.filter(host => host.service === request.service_name);
	return { ...request, target_hosts: Object.fromEntries(hosts.map(host => [host.hostname, null])) };
}

async function one(request, dryRun) {
	const whole = withHosts(request);
	const hosts = Object.entries(whole.target_hosts).map(([hostname, pids]) => ({ hostname, pids: pids || [] }));
	return { hosts, ...dryRun ? { command_ids: [] } : await post("/api/metrics/profile_request", whole) };
}

/* The answers for each of several requests; what failed has an error instead of a response. */
export async function request(list, dryRun) {
	if (list.length === 1)
		return [{ service_name: list[0].service_name, response: await one(list[0], dryRun) }];
	const results = [];
	for (const each of list)
		try {
			results.push({ service_name: each.service_name, response: await one(each, dryRun) });
		} catch (error) {
			results.push({ service_name: each.service_name, error: error.message });
		}
	return results;
}

/* Services whose new hosts are enrolled. */
export const enrolments = async () => [];
export const enrols = false;
