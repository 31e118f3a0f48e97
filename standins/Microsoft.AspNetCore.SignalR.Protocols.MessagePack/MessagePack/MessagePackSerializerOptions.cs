namespace MessagePack;

/// <summary>Which formatters there are, and how much is read.</summary>
public class MessagePackSerializerOptions
{
    public MessagePackSerializerOptions(IFormatterResolver resolver) => Resolver = resolver ?? throw new ArgumentNullException(nameof(resolver));

    public static MessagePackSerializerOptions Standard { get; } = new(PrimitiveResolver.Instance);

    public IFormatterResolver Resolver { get; private init; }

    public MessagePackSecurity Security { get; private init; } = MessagePackSecurity.TrustedData;

    public MessagePackSerializerOptions WithResolver(IFormatterResolver resolver) => new(resolver) { Security = Security };

    public MessagePackSerializerOptions WithSecurity(MessagePackSecurity security) => new(Resolver) { Security = security ?? throw new ArgumentNullException(nameof(security)) };
}

/// <summary>What formatters have to heed with data of others.</summary>
public class MessagePackSecurity
{
    private const int DefaultDepth = 500;

    private MessagePackSecurity(int maximumObjectGraphDepth) => MaximumObjectGraphDepth = maximumObjectGraphDepth;

    public static readonly MessagePackSecurity TrustedData = new(DefaultDepth);

    public static readonly MessagePackSecurity UntrustedData = new(DefaultDepth);

    public int MaximumObjectGraphDepth { get; }

    public MessagePackSecurity WithMaximumObjectGraphDepth(int maximumObjectGraphDepth) => new(maximumObjectGraphDepth);

    /// <summary>To be called by a formatter for each array and map that it enters.</summary>
    /// <exception cref="InsufficientExecutionStackException">That is too deep.</exception>
    public void DepthStep(ref MessagePackReader reader)
    {
        if (reader.Depth >= MaximumObjectGraphDepth)
        {
            throw new InsufficientExecutionStackException($"This msgpack sequence has an object graph that exceeds the maximum depth allowed of {MaximumObjectGraphDepth}.");
        }

        reader.Depth++;
    }
}
