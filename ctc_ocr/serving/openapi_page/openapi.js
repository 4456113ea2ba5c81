// Shows openapi.json. All text is set as text, never as HTML.
"use strict";

function element(name, text, ...children) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

// A schema as an example of its form, with the references followed.
function form(schema, document_) {
  if (schema.$ref) return form(schema.$ref.split("/").slice(1).reduce((part, key) => part[key], document_), document_);
  if (schema.anyOf) {
    const forms = schema.anyOf.filter((each) => each.type !== "null").map((each) => form(each, document_));
    return forms.length === 1 ? forms[0] : forms;
  }
  if (schema.prefixItems) return schema.prefixItems.map((each) => form(each, document_));
  if (schema.type === "array") return [].concat(form(schema.items ?? {}, document_));
  if (schema.type === "object" && schema.properties) {
    return Object.fromEntries(Object.entries(schema.properties).map(([name, each]) => [name, form(each, document_)]));
  }
  return schema.format ? `${schema.type} (${schema.format})` : schema.type;
}

function content(found, document_) {
  return Object.entries(found ?? {}).map(([type, { schema }]) =>
    element("div", "", element("p", "", element("code", type)),
      element("pre", JSON.stringify(form(schema ?? {}, document_), null, 2))));
}

function operation(method, path, found, document_) {
  const section = element("section", "", element("h2", `${method.toUpperCase()} ${path}`), element("p", found.description));
  if (found.parameters) {
    const list = element("dl");
    for (const each of found.parameters) {
      const { minimum, maximum, default: value, type } = each.schema;
      const range = minimum === undefined ? "" : `, ${minimum} to ${maximum}`;
      const otherwise = value === undefined ? "" : `, default ${value}`;
      list.append(element("dt", `${each.name} (${each.in}, ${type}${range}${otherwise})`),
        element("dd", each.description ?? each.schema.description));
    }
    section.append(element("h3", "Parameters"), list);
  }
  if (found.requestBody) {
    section.append(element("h3", "Body"), element("p", found.requestBody.description),
      ...content(found.requestBody.content, document_));
  }
  section.append(element("h3", "Answers"));
  for (const [status, each] of Object.entries(found.responses)) {
    section.append(element("details", "", element("summary", `${status}: ${each.description}`),
      ...content(each.content, document_)));
  }
  return section;
}

async function show(key) {
  const answer = await fetch("openapi.json", { headers: key ? { "X-API-Key": key } : {} });
  const found = await answer.json();
  document.getElementById("key").hidden = answer.status !== 401;
  document.getElementById("problem").textContent = answer.ok ? "" : found.error;
  if (!answer.ok) return;
  document.getElementById("description").textContent = `${found.info.description} Version ${found.info.version}.`;
  const operations = Object.entries(found.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, each]) => operation(method, path, each, found)));
  document.getElementById("operations").replaceChildren(...operations);
}

document.getElementById("key").addEventListener("submit", (event) => {
  event.preventDefault();
  show(event.target.querySelector("input").value);
});
show();
