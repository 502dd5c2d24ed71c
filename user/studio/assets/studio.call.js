/*
 * What the studio is asked, and its clock. The token lives in one variable of this module: not in a
 * URL, a cookie or a store.
 */
let token = null;
let clockAhead = 0; /* studio's clock minus ours */
let refused = () => {};

export const setToken = text => { token = text; };
export const hasToken = () => token !== null;
export const whenRefused = fn => { refused = fn; };
export const now = () => Date.now() + clockAhead;
export const setClock = ms => { clockAhead = ms - Date.now(); };

async function reason(answer) {
	const text = await answer.text();
	try {
		const json = JSON.parse(text);
		if (Array.isArray(json.detail))
			return json.detail.map(d => d.loc.at(-1) === "__root__" ? d.msg : `${d.loc.at(-1)}: ${d.msg}`).join("; ");
		return typeof json === "string" ? json : json.message || json.detail || text;
	} catch {
		return `${answer.status} ${text.slice(0, 200)}`;
	}
}

/* The answer, or an Error whose message is for people; its status is 0 if nobody answered. */
export async function call(path, body) {
	const headers = { Authorization: `Bearer ${token}` };
	let answer;

	if (body)
		headers["Content-Type"] = "application/json";
	try {
		answer = await fetch(path, {
			method: body ? "POST" : "GET", headers, body: body && JSON.stringify(body),
			cache: "no-store", credentials: "omit", redirect: "error",
		});
	} catch (error) {
		throw Object.assign(error, { status: 0 });
	}
	if (answer.status === 401)
		refused();
	if (!answer.ok)
		throw Object.assign(new Error(await reason(answer)), { status: answer.status });
	return answer;
}

/* Values are texts, numbers or lists of them; empty ones are left out. */
export async function get(path, query) {
	const words = new URLSearchParams();

	for (const [name, value] of Object.entries(query || {}))
		for (const one of [value].flat())
			if (one !== "" && one !== undefined)
				words.append(name, one);
	return (await call(words.size ? `${path}?${words}` : path)).json();
}

export const post = async (path, body) => (await call(path, body)).json();
