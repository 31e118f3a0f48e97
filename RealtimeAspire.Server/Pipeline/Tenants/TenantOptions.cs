namespace RealtimeAspire.Server.Pipeline.Tenants;

/// <summary>The section <c>Realtime:Tenants</c>.</summary>
internal sealed class TenantOptions
{
    /// <summary>Whether tenants are taken that nobody has created. <c>default</c> is always there. Default: in development only.</summary>
    public bool? Open { get; set; }
}
