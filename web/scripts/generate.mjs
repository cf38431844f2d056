/**
 * Types of the API from `openapi.json`, which a test of the server keeps equal to the server's document.
 * The client reaches everything by path, so operation ids are left out: a path's types then stand where the path stands.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import openapiTS, { astToString, COMMENT_HEADER } from "openapi-typescript";

const at = (path) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const document = JSON.parse(readFileSync(at("openapi.json"), "utf8"));
for (const path of Object.values(document.paths)) {
  for (const operation of Object.values(path)) delete operation.operationId;
}
const types = await openapiTS(document, { alphabetize: true });
writeFileSync(at("src/api/schema.d.ts"), COMMENT_HEADER + astToString(types));
