#!/bin/sh
# Prints the folder with Aspire's orchestrator and dashboard. They come inside the npm package of Aspire's command
# line, which unpacks them below ~/.aspire when a command first needs them; the package itself is not kept.
set -eu
version=13.5.4

find_bundle() {
    for folder in "$HOME/.aspire/versions/$version"*; do
        if [ -x "$folder/dcp/dcp" ] && [ -x "$folder/managed/aspire-managed" ]; then
            echo "$folder"
            return 0
        fi
    done
    return 1
}

find_bundle && exit 0

case "$(uname -s)-$(uname -m)" in
    Linux-x86_64) package=@microsoft/aspire-cli-linux-x64 ;;
    Linux-aarch64) package=@microsoft/aspire-cli-linux-arm64 ;;
    Darwin-arm64) package=@microsoft/aspire-cli-darwin-arm64 ;;
    Darwin-x86_64) package=@microsoft/aspire-cli-darwin-x64 ;;
    *) echo "Aspire's orchestrator is not available for $(uname -s) on $(uname -m)." >&2; exit 1 ;;
esac
command -v npm >/dev/null || { echo "npm is not on the PATH. Install Node.js 20 or later: Aspire's orchestrator and dashboard are fetched with it." >&2; exit 1; }

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
echo "Fetching Aspire's orchestrator and dashboard: $package $version (about 120 MB, once) ..." >&2
npm pack "$package@$version" --pack-destination "$work" --loglevel=error >/dev/null
tar -xzf "$work"/*.tgz -C "$work"
# Its verdict on this machine does not matter here.
ASPIRE_CLI_TELEMETRY_OPTOUT=1 "$work/package/bin/aspire" doctor --format json >/dev/null 2>&1 </dev/null || true
find_bundle || { echo "Aspire's orchestrator could not be unpacked into $HOME/.aspire. Run 'npx $package@$version doctor' to see why." >&2; exit 1; }
