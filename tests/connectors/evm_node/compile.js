// Compiles contracts.sol and prints, by contract, the code that deploys it and the code that then stands there.
const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const solc = require("solc");

const input = {
  language: "Solidity",
  sources: { "contracts.sol": { content: readFileSync(join(__dirname, "contracts.sol"), "utf8") } },
  settings: {
    optimizer: { enabled: true, runs: 200 },
    outputSelection: { "*": { "*": ["evm.bytecode.object", "evm.deployedBytecode.object", "evm.methodIdentifiers"] } },
  },
};
const output = JSON.parse(solc.compile(JSON.stringify(input)));
const errors = (output.errors ?? []).filter((problem) => problem.severity === "error");
if (errors.length > 0) {
  console.error(errors.map((problem) => problem.formattedMessage).join("\n"));
  process.exit(1);
}
const contracts = Object.entries(output.contracts["contracts.sol"]).map(([name, contract]) => [
  name,
  {
    deployment: `0x${contract.evm.bytecode.object}`,
    runtime: `0x${contract.evm.deployedBytecode.object}`,
    selectors: contract.evm.methodIdentifiers,
  },
]);
console.log(JSON.stringify(Object.fromEntries(contracts)));
