/*
 * What the fleet is and what is asked of it: the studio's routes as the page uses them.
 */
import { get, post } from "./studio.call.js";

/* A page of rows of a scope; filters: { name: [texts] }. */
export const workloads = (scope, limit, offset, filters) =>
	get("/api/metrics/profiling/workload_status", { scope, limit, offset, ...filters });

/* The answers for each of several requests; what failed has an error instead of a response. */
export async function request(list, dryRun) {
	if (list.length > 1)
		return (await post("/api/metrics/profile_request/bulk", { requests: list, dry_run: dryRun })).results;
	const response = await post("/api/metrics/profile_request", { ...list[0], dry_run: dryRun });
	return [{ service_name: list[0].service_name, response }];
}

/* Services whose new hosts are enrolled. */
export const enrolments = async () => (await get("/api/studio/subscriptions")).subscriptions;
