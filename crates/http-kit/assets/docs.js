"use strict";

// Lists the operations of /openapi.json and sends requests. Text is set as text, never as HTML.

const METHODS = ["get", "post", "put", "patch", "delete"];
let api;

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

function resolve(schema) {
  const name = schema?.$ref?.replace("#/components/schemas/", "");
  return name ? { ...api.components.schemas[name], ...schema, $ref: undefined } : schema ?? {};
}

// An example from a schema; depth ends what refers to itself.
function example(schema, depth = 0) {
  const shape = resolve(schema);
  if (shape.const !== undefined) return shape.const;
  if (shape.default !== undefined) return shape.default;
  if (shape.enum) return shape.enum[0];
  const choice = (shape.oneOf ?? shape.anyOf ?? []).find((one) => one.type !== "null");
  if (choice) return example(choice, depth + 1);
  const type = [shape.type].flat().find((one) => one !== "null");
  if (depth > 6) return null;
  if (type === "object" || shape.properties) {
    const fields = Object.entries(shape.properties ?? {});
    return Object.fromEntries(fields.map(([name, field]) => [name, example(field, depth + 1)]));
  }
  if (type === "array") return [example(shape.items, depth + 1)];
  if (type === "integer" || type === "number") return shape.minimum ?? 1;
  if (type === "boolean") return false;
  if (shape.format === "uuid") return crypto.randomUUID?.() ?? "01941f29-7c00-7000-8000-000000000001";
  if (shape.format === "date-time") return new Date().toISOString();
  return "";
}

function field(parameter) {
  const shape = resolve(parameter.schema);
  const type = [shape.type].flat().filter((one) => one && one !== "null").join(" or ");
  const title = `${parameter.name} (${parameter.in}${type ? ", " + type : ""})`;
  const input = element("input", { name: `${parameter.in}:${parameter.name}`, required: parameter.required });
  input.placeholder = parameter.description ?? "";
  return element("label", {}, element("span", { textContent: title, className: parameter.required ? "required" : "" }), input);
}

function request(path, method, form, operation) {
  const values = new FormData(form);
  const query = new URLSearchParams();
  const headers = new Headers({ Accept: "application/json" });
  let url = path;
  for (const parameter of operation.parameters ?? []) {
    const value = values.get(`${parameter.in}:${parameter.name}`);
    if (value === "") continue;
    if (parameter.in === "path") url = url.replace(`{${parameter.name}}`, encodeURIComponent(value));
    if (parameter.in === "query") query.append(parameter.name, value);
    if (parameter.in === "header") headers.set(parameter.name, value);
  }
  const token = document.getElementById("token").value.trim();
  if (token && operation.security.length) headers.set("Authorization", `Bearer ${token}`);
  const options = { method: method.toUpperCase(), headers };
  if (operation.requestBody) {
    headers.set("Content-Type", "application/json");
    options.body = values.get("body");
  }
  return fetch(query.size ? `${url}?${query}` : url, options);
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

async function send(event, path, method, operation, output) {
  event.preventDefault();
  output.textContent = "…";
  const started = performance.now();
  try {
    const response = await request(path, method, event.target, operation);
    const took = Math.round(performance.now() - started);
    const shown = ["location", "etag", "retry-after", "x-request-id", "x-correlation-id"];
    const headers = shown.filter((name) => response.headers.has(name)).map((name) => `${name}: ${response.headers.get(name)}`);
    output.textContent = [`${response.status} ${response.statusText} (${took} ms)`, ...headers, "", pretty(await response.text())].join("\n");
  } catch (error) {
    output.textContent = `No answer: ${error.message}`;
  }
}

function open(details, path, method, operation) {
  const form = element("form", {}, ...(operation.parameters ?? []).map(field));
  const schema = operation.requestBody?.content["application/json"]?.schema;
  if (schema) {
    const body = element("textarea", { name: "body", value: JSON.stringify(example(schema), null, 2), spellcheck: false });
    form.append(element("label", {}, element("span", { textContent: "Body" }), body));
  }
  form.append(element("button", { textContent: "Send" }));
  const output = element("pre", { textContent: "Nothing sent yet." });
  form.addEventListener("submit", (event) => send(event, path, method, operation, output));
  details.append(form, output);
}

function entry(path, method, operation) {
  const who = [...(operation["x-roles"] ?? []), ...(operation["x-services"] ?? [])].join(", ") || "everybody";
  const summary = element("summary", {},
    element("span", { className: `method ${method}`, textContent: method.toUpperCase() }),
    element("code", { textContent: path }), ` ${operation.summary} `,
    element("span", { className: "who", textContent: `for ${who}` }));
  const details = element("details", {}, summary);
  details.addEventListener("toggle", () => open(details, path, method, operation), { once: true });
  return details;
}

function show() {
  const wanted = document.getElementById("find").value.toLowerCase();
  const byService = new Map(api.tags.map((tag) => [tag.name, []]));
  for (const [path, methods] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((one) => methods[one])) {
      const operation = methods[method];
      const service = operation.tags[0];
      if (`${path} ${operation.summary} ${service}`.toLowerCase().includes(wanted)) {
        byService.get(service).push(entry(path, method, operation));
      }
    }
  }
  const sections = [...byService].filter(([, entries]) => entries.length);
  const shown = sections.map(([service, entries]) => element("section", {}, element("h2", { textContent: service }), ...entries));
  document.getElementById("operations").replaceChildren(...shown);
}

async function start() {
  api = await (await fetch("/openapi.json")).json();
  document.getElementById("about").textContent = `${api.info.title} ${api.info.version}`;
  document.getElementById("find").addEventListener("input", show);
  show();
}

start().catch((error) => {
  document.getElementById("operations").textContent = `The document cannot be read: ${error.message}`;
});
