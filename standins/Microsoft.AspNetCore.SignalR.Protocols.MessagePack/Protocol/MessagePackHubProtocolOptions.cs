using MessagePack;

namespace Microsoft.AspNetCore.SignalR;

public class MessagePackHubProtocolOptions
{
    public MessagePackSerializerOptions SerializerOptions { get; set; } =
        MessagePackSerializerOptions.Standard.WithSecurity(MessagePackSecurity.UntrustedData);
}
