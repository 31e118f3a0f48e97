using RealtimeAspire.Web;
using RealtimeAspire.Web.Api;
using RealtimeAspire.Web.Security;
using RealtimeAspire.Web.Session;

var builder = WebApplication.CreateBuilder(args);

builder.AddServiceDefaults();
builder.AddWebOptions();
builder.AddRealtimeApi();
builder.AddSession();
builder.Services.AddRazorComponents().AddInteractiveServerComponents()
    // A page hands what it was rendered with to its circuit, encrypted: a full list of rooms with long names is more than the usual 32 KiB.
    .AddHubOptions(circuit => circuit.MaximumReceiveMessageSize = 256 * 1024);

var app = builder.Build();

app.UseExceptionHandler("/error", createScopeForErrors: true);
app.UseStatusCodePagesWithReExecute("/not-found", createScopeForStatusCodePages: true);
app.UseSecurityHeaders();
app.UseAuthentication();
app.UseAuthorization();
app.UseAntiforgery();

app.MapDefaultEndpoints();
app.MapStaticAssets();
app.MapSession();
app.MapRazorComponents<App>().AddInteractiveServerRenderMode(options =>
{
    // Our own policy says it for every page, not only for those with a circuit.
    options.ContentSecurityFrameAncestorsPolicy = null;
});

app.Run();
