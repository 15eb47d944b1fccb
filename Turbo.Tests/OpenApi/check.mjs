// Holds a document to OpenAPI's schema, every schema in it to JSON Schema 2020-12, and answers to those schemas: the file
// that DOCUMENT names, and ANSWERS, an array of {name, path, method, status, type, body, event}. A line of JSON per check.
import { readFileSync } from "node:fs";
import { Validator } from "@seriousme/openapi-schema-validator";
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { runChecks } from "../Support/checks.mjs";

const document = JSON.parse(readFileSync(process.env.DOCUMENT, "utf8"));
const answers = JSON.parse(readFileSync(process.env.ANSWERS, "utf8"));
function ensure(holds, message) {
  if (!holds) throw new Error(message);
}

// An object answers with what is described and nothing else; a request may have more.
function closed(schema) {
  if (Array.isArray(schema)) return schema.map(closed);
  if (schema === null || typeof schema !== "object") return schema;
  const copy = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  if (copy.type === "object" && !copy.description?.includes("document")) copy.additionalProperties = false;
  return copy;
}

// Either of two names is required by schemas that do not repeat what the names are.
const ajv = new Ajv2020({ strict: true, strictRequired: false, allErrors: true, allowUnionTypes: true });
addFormats(ajv);
ajv.addKeyword({ keyword: "components" });
ajv.addSchema({ $id: "turbo:/", components: { schemas: closed(document.components.schemas) } });

// A reference in the document is one to that schema.
function compiled(schema) {
  return ajv.compile(JSON.parse(JSON.stringify(closed(schema)).replaceAll('"#/components', '"turbo:/#/components')));
}

function* operations() {
  for (const [path, item] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(item)) yield [path, method, operation];
  }
}

function responseOf(operation, status) {
  const response = operation.responses[status] ?? operation.responses.default;
  return response.$ref ? document.components.responses[response.$ref.split("/").pop()] : response;
}

const checks = {};

checks["document"] = async () => {
  const validator = new Validator();
  const result = await validator.validate(structuredClone(document));
  ensure(result.valid, JSON.stringify(result.errors));
  ensure(validator.version === "3.1", `read as ${validator.version}`);
  validator.resolveRefs({ specification: structuredClone(document) });
};

checks["ids"] = async () => {
  const ids = [...operations()].map(([, , operation]) => operation.operationId);
  ensure(new Set(ids).size === ids.length, "an operationId twice");
  const tags = new Set(document.tags.map((tag) => tag.name));
  for (const [path, , operation] of operations()) ensure(operation.tags.every((tag) => tags.has(tag)), `${path}: an unknown tag`);
};

checks["path parameters"] = async () => {
  for (const [path, method, operation] of operations()) {
    const named = [...path.matchAll(/\{([^}]+)\}/g)].map((match) => match[1]);
    const told = (operation.parameters ?? []).filter((parameter) => parameter.in === "path").map((parameter) => parameter.name);
    ensure(JSON.stringify(named) === JSON.stringify(told), `${method} ${path}`);
  }
};

checks["security"] = async () => {
  for (const [path, method, operation] of operations()) {
    for (const requirement of operation.security) {
      for (const scheme of Object.keys(requirement)) ensure(document.components.securitySchemes[scheme], `${method} ${path}: ${scheme}`);
    }
  }
};

checks["schemas"] = async () => {
  for (const name of Object.keys(document.components.schemas)) ensure(ajv.getSchema(`turbo:/#/components/schemas/${name}`), name);
  for (const [, , operation] of operations()) {
    for (const parameter of operation.parameters ?? []) holdsItsExamples(parameter.schema);
    for (const content of Object.values(operation.requestBody?.content ?? {})) {
      if (!content.schema) continue;
      compiled(content.schema);
      for (const property of Object.values(content.schema.properties)) holdsItsExamples(property);
    }
    for (const status of Object.keys(operation.responses)) {
      for (const content of Object.values(responseOf(operation, status).content ?? {})) if (content.schema) compiled(content.schema);
    }
  }
  function holdsItsExamples(schema) {
    const validate = ajv.compile(schema);
    for (const example of schema.examples ?? []) ensure(validate(example), `${JSON.stringify(example)}: ${ajv.errorsText(validate.errors)}`);
  }
};

checks["answers"] = async () => {
  for (const answer of answers) {
    const what = `${answer.name}: ${answer.method} ${answer.path} ${answer.status}`;
    const operation = document.paths[answer.path][answer.method];
    // An error for a reason that the route has must be told of by its status.
    ensure(operation.responses[answer.status] || answer.status >= 500, `${what} is not described`);
    const response = responseOf(operation, answer.status);
    if (!response.content) {
      ensure(answer.body === "", `${what} has content`);
      continue;
    }
    const content = response.content[answer.type] ?? response.content["*/*"];
    ensure(content, `${what} is ${answer.type}`);
    if (!content.schema) continue;
    const isText = content.schema.type === "string";
    const validate = compiled(answer.event ? content.schema.contentSchema : content.schema);
    const value = isText && !answer.event ? answer.body : JSON.parse(answer.body);
    ensure(validate(value), `${what} is ${answer.body.slice(0, 500)}: ${ajv.errorsText(validate.errors)}`);
  }
};

await runChecks(checks);
