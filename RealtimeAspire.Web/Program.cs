using RealtimeAspire.Web;
using RealtimeAspire.Web.Api;
using RealtimeAspire.Web.Security;
using RealtimeAspire.Web.Session;

var builder = WebApplication.CreateBuilder(args);

builder.AddServiceDefaults();
builder.AddWebOptions();
builder.AddRealtimeApi();
builder.AddSession();
builder.Services.AddRazorComponents().AddInteractiveServerComponents();

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
