// What Ajv, the field's validator, says of values: a schema and values come in, for each the errors go out.
import { readFileSync } from "node:fs";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import Ajv from "ajv";

const { schema, values } = JSON.parse(await text(process.stdin));
// A name stands for a schema that a package has. It may bring the schema of schemas along, which is then not Ajv's.
const isName = typeof schema === "string";
const read = name => JSON.parse(readFileSync(fileURLToPath(import.meta.resolve(name)), "utf8"));
const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true, meta: !isName, validateSchema: !isName });
const validate = ajv.compile(isName ? read(schema) : schema);
console.log(JSON.stringify(values.map(value => validate(value) ? [] : validate.errors.map(error => `${error.instancePath} ${error.message}`))));
